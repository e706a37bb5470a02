"""Random divisions of a sequence are what they say, and none is preferred where none should be."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import partitions

ROOM = 12


@pytest.fixture(scope="module", params=[partitions.into_runs, partitions.into_classes], ids=["runs", "classes"])
def drawn(request):
    """The function, and (length, number, what it gave as a list of ints) for many draws with all sizes that fit."""
    sizes = [(length, number) for length in range(1, ROOM + 1) for number in range(1, length + 1)] * 20
    lengths, numbers = np.array(sizes).T
    draw = jax.jit(jax.vmap(lambda key, *sizes: request.param(key, ROOM, *sizes)))
    given = draw(jax.random.split(jax.random.key(0), len(sizes)), jnp.array(lengths), jnp.array(numbers))
    return request.param, list(zip(lengths.tolist(), numbers.tolist(), np.asarray(given).tolist(), strict=True))


def test_every_part_is_used_and_numbered_as_it_comes_up(drawn):
    for length, number, parts in drawn[1]:
        assert list(dict.fromkeys(parts[:length])) == list(range(number))


def test_runs_are_of_neighbours_and_classes_need_not_be(drawn):
    function, draws = drawn
    is_ordered = [parts[:length] == sorted(parts[:length]) for length, _, parts in draws]
    if function is partitions.into_runs:
        assert all(is_ordered)
    else:
        assert not all(is_ordered)


def test_all_places_to_begin_a_part_are_as_likely():
    keys = jax.random.split(jax.random.key(1), 4000)
    given = np.asarray(jax.jit(jax.vmap(lambda key: partitions.into_runs(key, ROOM, 6, 3)))(keys))[:, :6].tolist()
    counts = collections.Counter(map(tuple, given))
    assert len(counts) == 10  # 5 · 4 / 2 choices of two places among five
    assert all(abs(count - 400) < 5 * 400**0.5 for count in counts.values())


def test_all_classes_seen_before_are_as_likely():
    keys = jax.random.split(jax.random.key(2), 4000)
    given = np.asarray(jax.jit(jax.vmap(lambda key: partitions.into_classes(key, ROOM, 4, 3)))(keys))[:, :4].tolist()
    last = collections.Counter(classes[3] for classes in given if classes[:3] == [0, 1, 2])
    expected = sum(last.values()) / 3
    assert 4000 / 3 / 3 - 150 < expected < 4000 / 3 / 3 + 150
    assert all(abs(last[number] - expected) < 5 * expected**0.5 for number in range(3))
