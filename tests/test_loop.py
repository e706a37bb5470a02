"""The loop goes on as if it had never stopped; a step is a small sum here, so nothing has to be compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rl_pretrain import checkpoint, loop, metrics
from rl_pretrain.interrupt import Stop

START = {"x": jnp.zeros(2), "key": jax.random.key(3)}


def improve(everything, i):
    x = everything["x"] + jax.random.uniform(jax.random.fold_in(everything["key"], i), (2,)) * (1 + everything["x"])
    return everything | {"x": x}, {"x": x, "i": jnp.float32(i)}


def go_on(directory, stop=None, total=7, resume=False, step=improve, **settings):
    with checkpoint.open_run(directory, {"a": 1}, {}, resume=resume) as run:
        return loop.go_on(run, START, step, total, stop or Stop(), "test", ("x",), **settings)


def stopping_after(stop, last):
    def step(everything, i):
        if i == last:
            stop.signal = "SIGTERM"
        return improve(everything, i)

    return step


def test_a_stopped_run_ends_where_an_uninterrupted_one_does(tmp_path):
    whole = go_on(tmp_path / "whole", save_every=3)
    assert whole is not None and whole.iterations == 7
    stop = Stop()
    assert go_on(tmp_path / "parts", stop, step=stopping_after(stop, 3), save_every=3) is None
    rest = go_on(tmp_path / "parts", resume=True, save_every=3)
    np.testing.assert_array_equal(rest.everything["x"], whole.everything["x"])
    rows = metrics.read(tmp_path / "parts")
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_allclose(rows[-1]["x"], np.mean(whole.everything["x"]), rtol=1e-6)


def test_it_ends_early_where_it_is_enough_and_stays_ended(tmp_path):
    ended = go_on(tmp_path, save_every=2, is_enough=lambda everything: float(everything["x"].sum()) > 1.5)
    assert ended.iterations in (2, 4) and float(ended.everything["x"].sum()) > 1.5

    def never(everything, i):
        raise AssertionError("an ended run goes on")

    again = go_on(tmp_path, resume=True, step=never)
    assert again.iterations == ended.iterations and again.seconds == ended.seconds


def test_what_is_not_finite_is_not_saved(tmp_path):
    def spoilt(everything, i):
        everything, scalars = improve(everything, i)
        return everything, scalars | ({"loss": jnp.float32(np.nan)} if i == 4 else {})

    with pytest.raises(FloatingPointError, match="loss"):
        go_on(tmp_path, step=spoilt, save_every=1)
    assert checkpoint.steps(tmp_path)[-1] == 4


def test_a_signal_at_the_very_end_loses_nothing(tmp_path):
    stop = Stop()
    assert go_on(tmp_path, stop, step=stopping_after(stop, 6)).iterations == 7
