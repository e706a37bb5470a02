"""What devices hold is dealt anew in order; what all share is stored once; what cannot be shared out is named."""

import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rl_pretrain import checkpoint, devices, shares


class Ring(NamedTuple):
    moves: jax.Array  # [devices, time, games]
    cursor: jax.Array  # [devices]


class Tree(NamedTuple):
    key: jax.Array
    weights: dict
    games: dict | None
    ring: Ring


AXES = Tree(shares.WHOLE, shares.SAME, 1, Ring(2, shares.SAME))  # pyright: ignore[reportArgumentType]
NUM_GAMES, NUM_STEPS = 12, 3


def make(num_devices, seed=0):
    """Game g has the age 100 + g, its move at time t is 10 g + t, its key is that of g: wherever it is played."""
    pool = devices.use(len(jax.devices()))[:num_devices]
    in_turn = range(NUM_GAMES)
    share = NUM_GAMES // num_devices
    hands = [in_turn[i * share : (i + 1) * share] for i in range(num_devices)]
    ages = [[100 + seed + game for game in hand] for hand in hands]
    moves = [[[10 * game + t + seed for game in hand] for t in range(NUM_STEPS)] for hand in hands]
    keys = jnp.stack([jnp.stack([jax.random.key(seed + game) for game in hand]) for hand in hands])
    return Tree(
        key=jax.random.key(seed),
        weights=devices.replicate({"kernel": np.arange(6.0).reshape(2, 3) + seed, "key": jax.random.key(7)}, pool),
        games=devices.shard({"age": np.array(ages), "key": keys}, pool),
        ring=Ring(devices.shard(np.array(moves), pool), devices.replicate(np.int32(5 + seed), pool)),
    )


def plain(tree):
    def one(x):
        return np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x).tolist()

    return jax.tree.map(one, tree)


def start(directory, resume=False, axes: Any = AXES):
    return checkpoint.open_run(directory, {}, {}, resume=resume, axes=axes)


@pytest.mark.parametrize(("before", "after"), [(4, 4), (4, 2), (2, 3), (4, 1), (1, 4)])
def test_every_game_goes_on_whatever_device_it_lands_on(tmp_path, before, after):
    if len(jax.devices()) < 4:
        pytest.skip("needs four devices")
    with start(tmp_path / "run") as run:
        checkpoint.save(run, 1, make(before))
        like = make(after, seed=50)
        restored = checkpoint.restore(run, like).tree
    assert plain(restored) == plain(make(after))
    assert jax.tree.all(jax.tree.map(lambda x, model: x.sharding == model.sharding, restored, like))


def test_what_all_devices_share_is_stored_once(tmp_path):
    with start(tmp_path / "run") as run:
        checkpoint.save(run, 1, make(4))
    arrays = checkpoint.load(tmp_path / "run").arrays
    assert arrays["weights"]["kernel"].shape == (1, 2, 3) and arrays["ring"]["cursor"].shape == (1,)
    assert arrays["games"]["age"].shape == (4, 3) and arrays["ring"]["moves"].shape == (4, 3, 3)


def test_a_checkpoint_with_a_copy_for_each_device_can_be_read(tmp_path):
    with start(tmp_path / "run", axes=shares.WHOLE) as run:
        checkpoint.save(run, 1, make(4))
    with start(tmp_path / "run", resume=True) as run:
        assert plain(checkpoint.restore(run, make(2, seed=50)).tree) == plain(make(2))


def test_a_part_of_the_tree_may_be_absent(tmp_path):
    with start(tmp_path / "run") as run:
        checkpoint.save(run, 1, make(4)._replace(games=None))
        restored = checkpoint.restore(run, make(2)._replace(games=None)).tree
    assert restored.games is None and plain(restored.ring) == plain(make(2).ring)


def test_what_cannot_be_shared_out_equally_is_named():
    stored = {"games/age": np.arange(12).reshape(4, 3)}
    with pytest.raises(ValueError, match=re.escape("12 of games/age cannot be shared out equally among 5 devices")):
        shares.deal(stored, {"games/age": 1}, 5)


def test_only_the_rows_asked_for_are_dealt():
    stored = {"a": np.arange(12).reshape(4, 3), "b": np.ones((4, 2)), "c": np.zeros(())}
    dealt = shares.deal(stored, {"a": 1, "b": shares.SAME, "c": shares.WHOLE}, 6, slice(2, 4))
    assert dealt["a"].tolist() == [[4, 5], [6, 7]] and dealt["b"].shape == (2, 2) and dealt["c"].shape == ()


def test_another_number_of_games_is_another_run(tmp_path):
    with start(tmp_path / "run") as run:
        checkpoint.save(run, 1, make(4))
        fewer = make(2)
        fewer = fewer._replace(games=jax.tree.map(lambda x: x[:, :4], fewer.games))
        with pytest.raises(checkpoint.RunError, match=r"games/age is int\d+\[2, 6\], expected int\d+\[2, 4\]"):
            checkpoint.restore(run, fewer)
