"""Likelihood of demonstrations: by the definition, and that it is learnt; exams: by playing them by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import pool
from curricula.tasks import copying
from curricula.vocabulary import NUM_TOKENS, Token
from rl_pretrain import exam, learner, supervised
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.policy import Policy
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.supervised import Demonstration, SupervisedConfig

POLICY = policies.make(TokenConfig(NUM_TOKENS, NUM_TOKENS, "gru", width=32, num_layers=1))


def demonstrations(level: int, num: int, seed: int = 0) -> Demonstration:
    """Of copying: the token shown and the one said before, and the one to say."""
    task = copying.copy()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    script = sample(jax.random.split(jax.random.key(seed), num), level).script
    steps = 2 * (level + 2)
    shown, asked = (np.asarray(x)[:, :steps].T.astype(np.int32) for x in (script.shown, script.asked))
    before = np.concatenate([np.zeros((1, num), np.int32), asked[:-1]])
    observation = jnp.asarray(np.stack([shown, before], axis=-1))
    return Demonstration(observation, jnp.asarray(asked), jnp.asarray(asked != Token.PAD, jnp.float32))


def test_the_loss_is_the_mean_over_the_steps_that_count():
    batch = demonstrations(0, 6)
    batch = batch._replace(weight=batch.weight.at[2, 3].set(0))
    weights = POLICY.init(jax.random.key(0), 2)
    mean, scalars = supervised.loss(POLICY, weights, batch)
    memory, surprises, right = POLICY.initial(6, 4), [], []
    for t in range(4):
        memory, (logits, _) = POLICY.step(weights, memory, batch.observation[t], jnp.full(6, t == 0))
        logits = np.asarray(logits, np.float64)
        for i in range(6):
            if batch.weight[t, i]:
                action = int(batch.action[t, i])
                surprises.append(np.log(np.exp(logits[i]).sum()) - logits[i, action])
                right.append(np.argmax(logits[i]) == action)
    assert len(surprises) == 11
    np.testing.assert_allclose(mean, np.mean(surprises), rtol=1e-5)
    np.testing.assert_allclose(scalars["accuracy"], np.mean(right), rtol=1e-5)


@pytest.mark.slow
def test_demonstrations_are_learnt_and_an_exam_shows_it():
    task = copying.copy()
    optimizer = supervised.make_optimizer(SupervisedConfig(learning_rate=1e-2), 400)
    state = learner.init(optimizer, POLICY.init(jax.random.key(0), 2))
    batch = demonstrations(0, 256)
    update = jax.jit(lambda state: supervised.update(POLICY, optimizer, state, batch))
    rows = pool.write(task, jax.random.key(9), jnp.zeros(64, jnp.int32))
    episodes = jax.vmap(rows.at)(jnp.arange(64))
    take = jax.jit(lambda weights: jax.vmap(rows.is_solved)(exam.take(rows, POLICY, weights, episodes, 4)))
    assert np.mean(take(state.params)) < 0.3
    first = None
    for _ in range(400):
        state, scalars = update(state)
        first = first or float(scalars["cross_entropy"])
    assert float(scalars["cross_entropy"]) < 0.5 * first
    assert np.mean(take(state.params)) > 0.5
    assert int(state.num_updates) == 400


def test_an_exam_takes_the_most_likely_legal_actions_and_samples_with_a_key():
    """A policy that prefers two tokens, the illegal one most."""
    task = dataclasses.replace(copying.copy(), answers=(31, 32))

    def step(weights, memory, tokens, is_first):
        logits = jnp.zeros((len(tokens), NUM_TOKENS)).at[:, 31].set(2.0).at[:, 32].set(1.0).at[:, 40].set(9.0)
        return memory, (logits, jnp.zeros(len(tokens)))

    policy = Policy(lambda key, n: (), lambda num, room: (), step, lambda *_: None)  # pyright: ignore
    rows = pool.write(task, jax.random.key(0), jnp.zeros(50, jnp.int32))
    episodes = jax.vmap(rows.at)(jnp.arange(50))
    ended = exam.take(rows, policy, (), episodes, 3)
    assert set(np.asarray(ended.last_action).tolist()) == {31}
    sampled = exam.take(rows, policy, (), episodes, 3, jax.random.key(1))
    share = np.mean(np.asarray(sampled.last_action) == 31)
    assert set(np.asarray(sampled.last_action).tolist()) == {31, 32}
    assert abs(share - np.e / (1 + np.e)) < 0.25
