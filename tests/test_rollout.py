"""A rollout is what the rules of the world say, played by a policy that a test can follow in plain Python."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import pool as pools
from curricula.stream import State
from curricula.tasks import automata
from curricula.vocabulary import NUM_TOKENS, Token
from rl_pretrain import rollout
from rl_pretrain.networks.policy import Policy

STEPS, PLACES, ROWS, NUM_MOODS = 60, 4, 12, 7


def moody_step(weights, mood, seen, is_first):
    """A policy whose logits are a row of a table, by a sum of all tokens shown in the episode."""
    mood = (jnp.where(is_first, 0, mood) + seen[:, 0] + 1) % NUM_MOODS
    return mood, (weights[mood], 10.0 + mood)


MOODY = Policy(
    init=lambda key, num: jax.random.normal(key, (NUM_MOODS, NUM_TOKENS)),
    initial=lambda num, room: jnp.full(num, 5),  # what an episode must forget at its first step
    step=moody_step,
    unroll=lambda *_: pytest.fail("a rollout takes steps"),
)


@pytest.fixture(scope="module")
def played():
    """The task, its instances, weights, and what was played; the first places begin with the first rows."""
    task = automata.cellular_automaton()
    keys = jax.random.split(jax.random.key(0), ROWS)
    instances = jax.jit(jax.vmap(task.sample))(keys, jnp.arange(ROWS, dtype=jnp.int32) % 3)
    pool = pools.from_instances(task, instances)
    weights = MOODY.init(jax.random.key(1), 2)

    @jax.jit
    def play(key):
        episodes = jax.vmap(pool.at)(jnp.arange(PLACES))
        return rollout.play(
            pool,
            MOODY,
            weights,
            key,
            episodes,
            STEPS,
            lambda episode: pool.renew(episode, PLACES),
            lambda after: {"row": after.row, "is_solved": pool.is_solved(after)},
        )

    return task, instances, np.asarray(weights), jax.tree.map(np.asarray, play(jax.random.key(2))), play


def beginning(instances, row: int) -> State:
    instance = jax.tree.map(lambda x: x[row], instances)
    return State(instance, jnp.int32(0), jnp.int32(Token.PAD), jnp.float32(0), jnp.float32(1))


def test_every_step_is_what_the_task_says(played):
    """The stream task itself, with no pool, steps through the actions that were taken."""
    task, instances, weights, found, _ = played
    step, observe, legal_actions = jax.jit(task.step), jax.jit(task.observe), jax.jit(task.legal_actions)
    fates = set()
    for place in range(PLACES):
        row, is_first, mood = place, True, None
        state = beginning(instances, row)
        for t in range(STEPS):
            at = t, place
            seen, legal = np.asarray(observe(state)), np.asarray(legal_actions(state))
            np.testing.assert_array_equal(found.observation[at], seen)
            np.testing.assert_array_equal(found.legal[at], legal)
            assert found.is_first[at] == is_first
            mood = ((0 if is_first else mood) + int(seen[0]) + 1) % NUM_MOODS
            assert found.value[at] == 10 + mood
            action = found.action[at]
            assert legal[action]
            probability = np.exp(weights[mood].astype(np.float64)) * legal
            expected = np.log(probability[action] / probability.sum())
            np.testing.assert_allclose(found.log_prob[at], expected, rtol=1e-4, atol=1e-5)
            state = step(state, action)
            is_solved = bool(task.is_solved(state))
            assert (found.reward[at], found.discount[at]) == (state.reward, state.discount)
            assert (found.note["row"][at], found.note["is_solved"][at]) == (row, is_solved)
            is_first = state.discount == 0
            if is_first:
                fates.add(is_solved)
                row = (row + PLACES) % ROWS
                state = beginning(instances, row)
        mood = ((0 if is_first else mood) + int(observe(state)[0]) + 1) % NUM_MOODS
        assert found.last_value[place] == 10 + mood
    assert fates == {True, False}
    assert np.any((found.reward > 0) & (found.discount == 1))


def test_types_are_what_the_shapes_promise(played):
    found = played[3]
    types = {name: getattr(found, name).dtype for name in found._fields if name != "note"}
    floats = ("log_prob", "value", "reward", "discount", "last_value")
    assert all(types[name] == np.float32 for name in floats), types
    assert (types["is_first"], types["legal"], types["action"]) == (np.bool_, np.bool_, np.int32)


def test_the_key_decides_what_is_played(played):
    *_, found, play = played
    again, other = play(jax.random.key(2)), play(jax.random.key(3))
    jax.tree.map(np.testing.assert_array_equal, again, found)
    assert np.any(other.action != found.action)


def test_actions_are_drawn_as_often_as_they_are_probable():
    """For chances spread evenly over [0, 1) the counts are right to one."""
    num = 4001
    chances = (jnp.arange(num) + 0.5) / num
    for seed in range(5):
        chance = np.random.default_rng(seed)
        probability = chance.dirichlet(np.ones(9)) * (chance.random(9) < 0.7)
        probability[seed] += 0.1
        probability /= probability.sum()
        actions = rollout.draw(chances, jnp.tile(jnp.float32(probability), (num, 1)))
        counts = np.bincount(actions, minlength=9)
        np.testing.assert_allclose(counts, num * probability, atol=1.5)
        np.testing.assert_array_equal(counts[probability == 0], 0)


def test_no_chance_draws_what_has_no_probability(monkeypatch):
    """Where devices sum in pieces, a sum may round up where nothing is added: chances there, smallest and largest."""
    monkeypatch.setattr(jnp, "cumsum", lambda x, axis: jax.lax.associative_scan(jnp.add, x, axis=axis))
    chance = np.random.default_rng(0)
    num, actions = 20_000, 46
    legal = chance.random((num, actions)) < 0.4
    legal[np.arange(num), chance.integers(actions, size=num)] = True
    weights = np.where(legal, chance.random((num, actions)), 0).astype(np.float32)
    probability = jnp.asarray(weights / weights.sum(axis=1, keepdims=True))
    sums = np.asarray(jnp.cumsum(probability, axis=-1))
    is_trap = ~legal[:, 1:] & (sums[:, 1:] > sums[:, :-1])
    assert np.sum(is_trap) > 100
    before = sums[np.arange(num), is_trap.argmax(axis=1)] / sums.max(axis=1)
    largest = np.float32(1 - 2.0**-23)
    for chances in (np.zeros(num), np.full(num, largest), before, np.nextafter(before, 0), np.nextafter(before, 1)):
        drawn = np.asarray(rollout.draw(jnp.float32(np.clip(chances, 0, largest)), probability))
        assert legal[np.arange(num), drawn].all()
