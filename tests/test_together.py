"""Jobs at the same time: all results in order, no more at once than asked for, and nobody left behind by an error."""

import functools
import os
import threading
import time

import pytest

from rl_pretrain import devices, together
from rl_pretrain.interrupt import Stop


@pytest.mark.parametrize("at_once", [1, 3])
def test_results_are_in_the_order_of_the_jobs(at_once):
    lock, under_way, most, told = threading.Lock(), 0, 0, []

    def job(i):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02 * (i % 3))  # the first ends last
        with lock:
            under_way -= 1
        return 10 * i

    jobs = [functools.partial(job, i) for i in range(2, 9)]
    assert together.do(jobs, at_once, Stop(), told.append) == [10 * i for i in range(2, 9)]
    assert most == at_once
    assert sorted(told) == [10 * i for i in range(2, 9)]


def test_after_a_request_to_stop_no_job_begins():
    stop, begun, told = Stop(), [], []

    def job(i):
        begun.append(i)
        if i == 1:
            stop.signal = "SIGTERM"
            return None
        return i

    jobs = [functools.partial(job, i) for i in range(4)]
    assert together.do(jobs, 1, stop, told.append) is None
    assert begun == [0, 1] and told == [0]


def test_an_error_in_one_job_stops_the_others():
    stop, ended = Stop(), []

    def goes_on():
        while not stop.requested:
            time.sleep(0.01)
        ended.append(stop.signal)

    def fails():
        raise FloatingPointError("loss is nan")

    with pytest.raises(FloatingPointError, match="loss is nan"):
        together.do([goes_on, fails, goes_on], 2, stop, lambda result: None)
    assert ended == ["FloatingPointError"]


def test_a_machine_without_accelerator_has_room_for_one_on_each_core():
    assert together.fitting() == devices.num_cores() == len(os.sched_getaffinity(0))
