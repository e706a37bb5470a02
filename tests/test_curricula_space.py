"""Tiny levels are listed whole: checked by counting, and against lists made by plain Python."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import space, tasks
from curricula.levels import Levels
from curricula.stream import Instance, Stream, ask
from curricula.tasks import copying, sorting
from curricula.vocabulary import name, symbols

COPY = copying.copy()  # compiled once for all tests


def words(instances: Instance, length: int) -> list[str]:
    return ["".join(name(int(token)) for token in shown[:length]) for shown in np.asarray(instances.script.shown)]


def test_copy_at_level_0_has_exactly_the_64_words_of_two_letters():
    instances = space.every_instance(COPY, 0)
    assert words(instances, 2) == ["".join(pair) for pair in itertools.product("abcdefgh", repeat=2)]
    script = instances.script
    np.testing.assert_array_equal(script.length, np.full(64, 4))
    np.testing.assert_array_equal(instances.level, np.zeros(64))
    assert script.shown.shape == script.asked.shape == (64, COPY.max_steps)
    again = COPY.sample(jax.random.key(3), 0)
    assert [leaf.dtype for leaf in jax.tree.leaves(instances)] == [leaf.dtype for leaf in jax.tree.leaves(again)]
    row = words(instances, 2).index(words(jax.tree.map(lambda x: x[None], again), 2)[0])
    jax.tree.map(lambda all_, one: np.testing.assert_array_equal(all_[row], one), instances, again)


def test_the_splits_are_the_whole_and_a_key_changes_nothing():
    whole, train, test = (words(space.every_instance(COPY, 0, split), 2) for split in (None, "train", "test"))
    assert sorted(train + test) == whole and not set(train) & set(test) and train and test
    assert words(space.every_instance(COPY, 0, key=jax.random.key(9), num_draws=4096), 2) == whole


def test_a_level_with_too_many_instances_is_refused():
    with pytest.raises(
        ValueError, match="copy, level 3 has too many instances, or too rare ones, to list all: in 32768 draws"
    ):
        space.every_instance(COPY, 3)
    with pytest.raises(
        ValueError, match="copy, level 0 has too many instances, or too rare ones, to list all: in 256 draws"
    ):
        space.every_instance(COPY, 0, num_draws=256)  # all 64 came up perhaps, but who knows
    assert space.tiny_levels(COPY) == (0, 1)  # 8 ** 2 and 8 ** 3


def test_a_rare_instance_is_no_reason_to_trust_and_every_draw_counts():
    """One word in 2 ** 13 is another one: it comes up about four times."""

    def write(key, knobs):
        word = jnp.where(jax.random.uniform(key, (1,)) < 2**-13, *symbols(2))
        return ask(word, knobs.length, word, knobs.length)

    task = Stream("rare", Levels((copying.Knobs(1, 2), copying.Knobs(1, 2))), write, 2, symbols(2))
    with pytest.raises(ValueError, match="rare, level 0 has too many instances, or too rare ones"):
        space.every_instance(task, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 12}, "a level must be from 0 to 11, got 12"),
        ({"level": 0, "split": "dev"}, "split must be train, test or None, got 'dev'"),
        ({"level": 0, "num_draws": 3}, "num_draws must be 8 or more, got 3"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        space.every_instance(COPY, **arguments)  # pyright: ignore[reportArgumentType]


def test_scripts_without_an_end_token_have_their_length():
    """Length 3 of sort: 8 ** 3 prompts, and every answer is its prompt in order."""
    script = space.every_instance(sorting.sort(), 0).script
    assert len(script.length) == 512 and set(np.asarray(script.length).tolist()) == {6}
    np.testing.assert_array_equal(np.asarray(script.asked)[:, 3:6], np.sort(np.asarray(script.shown)[:, :3], axis=1))


TINY = {
    "copy": (0, 1),
    "reverse": (0, 1),
    "repeat_copy": (0, 1),
    "odds_first": (0,),
    "dedup": (0,),
    "sort": (0,),
    "dyck": (0, 1, 2),
    "closing": (0, 1, 2),
    "stack_machine": (0, 1),
    "multiplication": (0,),
    "factorial": tuple(range(11)),
    "fibonacci": tuple(range(11)),
    "finite_automaton": (0, 1),
    "group_word": (0, 1, 2, 3),
    "cellular_automaton": (0, 2, 3, 4),
    "knights_and_knaves": (0,),
    "matrix_vector": (0,),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", tasks.MAKERS, ids=lambda make: make.__name__)
def test_these_levels_are_tiny_and_no_other(make):
    task = make()
    assert space.tiny_levels(task) == TINY.get(task.name, ())
