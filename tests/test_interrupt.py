"""A run asked to stop finishes its iteration; asked twice, it stops at once."""

import os
import signal
import threading

import pytest

from rl_pretrain.interrupt import catch_signals

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def same_handlers_afterwards():
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_sets_the_flag_only(number):
    with catch_signals() as stop:
        assert not stop.requested and str(stop) == ""
        send(number)
        assert stop.requested and stop.signal == number.name
        assert number.name in str(stop)


@pytest.mark.parametrize(("first", "second"), [SIGNALS, SIGNALS[::-1], [signal.SIGINT] * 2])
def test_the_second_signal_raises_at_once(first, second):
    with pytest.raises(KeyboardInterrupt), catch_signals() as stop:
        send(first)
        assert stop.requested
        send(second)
        pytest.fail("went on after the second signal")


def test_handlers_come_back_after_an_exception():
    with pytest.raises(RuntimeError), catch_signals():
        raise RuntimeError


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with catch_signals() as stop:
            send(signal.SIGINT)
            assert not stop.requested
            send(signal.SIGTERM)
            assert stop.signal == "SIGTERM"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_the_flag_just_never_rises():
    seen = []

    def work():
        with catch_signals() as stop:
            seen.append(stop.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
