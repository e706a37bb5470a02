"""What is trained on is never tested on, even where a level has few instances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import quick

from curricula import split
from curricula.levels import Levels
from curricula.stream import Stream, ask
from curricula.tasks import copying


def prompts(which: split.Split, level: int, num: int = 400) -> set[bytes]:
    task = copying.copy()
    draw = jax.jit(jax.vmap(lambda key: split.sample(task, key, level, which)))
    instances, belongs = draw(jax.random.split(jax.random.key(level), num))
    assert np.all(belongs)
    return {np.asarray(shown).tobytes() for shown in instances.script.shown}


@pytest.mark.parametrize("level", quick.first([0, 1, 11]))
def test_train_and_test_share_no_instance(level):
    train, test = prompts("train", level), prompts("test", level)
    assert not train & test
    if level == 0:  # 8 · 8 prompts: all of them are met
        assert len(train | test) == 64


def test_about_one_instance_in_eight_is_for_testing():
    task = copying.copy()
    scripts = jax.vmap(lambda key: task.sample(key, 6).script)(jax.random.split(jax.random.key(0), 4000))
    share = np.mean(jax.jit(jax.vmap(split.is_test))(scripts))
    assert abs(share - 1 / split.TEST_SHARE) < 4 * np.sqrt(7 / 64 / 4000)


def test_what_padding_holds_decides_nothing():
    script = copying.copy().sample(jax.random.key(0), 3).script
    spoilt = script._replace(shown=jnp.where(jnp.arange(len(script.shown)) < script.length, script.shown, 9))
    for _ in range(3):
        assert bool(split.is_test(script)) == bool(split.is_test(spoilt))


def test_a_level_with_a_single_instance_is_refused():
    def write(key, knobs):
        del key
        prompt = jnp.full(2, 24)
        return ask(prompt, knobs.length, prompt, knobs.length)

    task = Stream("same", Levels((copying.Knobs(1, 1), copying.Knobs(2, 1))), write, 4, (24,))
    with pytest.raises(ValueError, match=r"same, level [01] has too few instances"):
        split.check(task)
    split.check(copying.reverse())


def test_a_bad_split_is_refused():
    with pytest.raises(ValueError, match="split must be train or test, got 'dev'"):
        split.sample(copying.copy(), jax.random.key(0), 0, "dev")  # pyright: ignore[reportArgumentType]
