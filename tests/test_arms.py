"""Arms of learning: their budgets, and that each learns from what it should, on a world of one step."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rl_pretrain import arms, practice
from rl_pretrain.arms import Arm, Budget
from rl_pretrain.learner import LearnConfig
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.search import SearchConfig
from rl_pretrain.settings import SettingError
from rl_pretrain.supervised import Demonstration, SupervisedConfig

NUM = 4  # signs shown, and actions


class Episode(NamedTuple):
    row: jax.Array
    is_right: jax.Array
    reward: jax.Array
    discount: jax.Array


class Signs(NamedTuple):
    """Rows that each show a sign; the action to take is the next sign. Over after one step."""

    sign: jax.Array  # int32 [N]

    num_actions = NUM
    observation_shape = (1,)

    @property
    def num_rows(self):
        return len(self.sign)

    def at(self, row):
        return Episode(jnp.asarray(row, jnp.int32), jnp.bool_(False), jnp.float32(0), jnp.float32(1))

    def init(self, key):
        return self.at(jax.random.randint(key, (), 0, self.num_rows))

    def step(self, episode, action):
        is_going_on = episode.discount != 0
        is_right = is_going_on & (action == (self.sign[episode.row] + 1) % NUM)
        return Episode(episode.row, episode.is_right | is_right, is_right.astype(jnp.float32), jnp.float32(0))

    def renew(self, episode, stride=1):
        fresh = self.at((episode.row + stride) % self.num_rows)
        return jax.tree.map(lambda new, old: jnp.where(episode.discount == 0, new, old), fresh, episode)

    def observe(self, episode):
        return self.sign[episode.row][None]

    def legal_actions(self, episode):
        return jnp.ones(NUM, bool)

    def is_solved(self, episode):
        return episode.is_right


class Teacher:
    """Deals random signs, and counts the episodes it is told of."""

    def init(self):
        return jnp.int32(0)

    def deal(self, state, key):
        return Signs(jax.random.randint(key, (64,), 0, NUM))

    def report(self, state, rows, row, is_over, is_solved, advantage, axis):
        told = jnp.sum(is_over)
        return state + (told if axis is None else jax.lax.psum(told, axis))


POLICY = policies.make(TokenConfig(NUM, NUM, "mlp", width=16, num_layers=1))
LEARN = PolicyGradientConfig(learning_rate=0.03, num_epochs=2, num_minibatches=2)
BUDGET = Budget(40, num_places=16, num_steps=4, learn=LEARN, imitate=SupervisedConfig(learning_rate=0.03))
SIGNS = jnp.arange(NUM)[None, :, None]  # one step, a demonstration for each sign
WRONG = Demonstration(SIGNS, SIGNS[..., 0], jnp.ones((1, NUM)))  # shows to repeat the sign
KEYS = functools.partial(arms.seed_keys, 0, 2)


def train(arm, budget=BUDGET, shown=WRONG, **settings):
    """Weights of two seeds after all iterations, everything, and the cost."""
    training = arms.prepare(arm, budget, POLICY, Teacher(), shown=shown, **settings)
    everything = training.begin(jax.vmap(lambda key: POLICY.init(key, 1))(KEYS(0)))
    for i in range(budget.iterations):
        everything, scalars = training.improve(everything, i, KEYS(i + 1))
    return everything, scalars, training.cost(everything, budget.iterations, KEYS(0))


def answers(everything):
    """The likeliest action for each sign: [seeds, signs]."""
    observations = jnp.arange(NUM)[:, None]
    logits = jax.vmap(lambda w: POLICY.step(w, (), observations, jnp.ones(NUM, bool))[1][0])(
        arms.weights_of(everything)
    )
    return np.argmax(logits, axis=-1)


def test_all_arms_have_as_many_tokens_and_halves_for_each():
    budget = Budget(10, num_places=32, num_steps=24, demonstration_steps=20, learn=LEARN)
    assert budget.tokens == 32 * 24 * 2 and budget.num_updates == 4
    assert budget.num_demonstrations * budget.demonstration_steps * budget.num_updates == pytest.approx(
        budget.tokens, 0.03
    )
    both = Arm(imitates=True, practises="reward")
    counts = [budget.num_imitations(arm) for arm in (Arm(imitates=True), Arm(practises="reward"), both)]
    assert counts == [10, 0, 5]


def test_reward_teaches_what_is_right_and_the_teacher_hears_of_every_episode():
    everything, scalars, cost = train(Arm(practises="reward"))
    np.testing.assert_array_equal(answers(everything), np.tile((np.arange(NUM) + 1) % NUM, (2, 1)))
    assert everything.imitator == () and everything.pupil.lessons.tolist() == [40 * 16 * 4] * 2
    assert cost.tokens == 40 * 16 * 4 * 2 and cost.steps == 40 * 16 * 4
    assert (scalars["success"] > 0.9).all()


def test_imitation_teaches_what_is_shown_and_costs_no_rollout():
    everything, _, cost = train(Arm(imitates=True))
    np.testing.assert_array_equal(answers(everything), np.tile(np.arange(NUM), (2, 1)))
    assert everything.pupil == () and cost.steps == 0 and cost.flops > 0


@pytest.mark.slow
def test_fine_tuning_begins_where_imitation_ended_and_a_strong_divergence_keeps_it_there():
    held, _, cost = train(Arm(imitates=True, practises="reward", kl_weight=50.0))
    free, _, _ = train(Arm(imitates=True, practises="reward"))
    np.testing.assert_array_equal(answers(held), np.tile(np.arange(NUM), (2, 1)))
    assert np.mean(answers(free) == (np.arange(NUM) + 1) % NUM) >= 0.5  # on its way to what pays
    assert cost.steps == 20 * 16 * 4
    jax.tree.map(np.testing.assert_array_equal, held.reference, held.imitator.params)


@pytest.mark.slow
def test_search_learns_a_world_of_one_player():
    search, learn = SearchConfig(num_simulations=4, max_considered=4), LearnConfig(batch_size=32, learning_rate=0.03)
    budget = Budget(20, num_places=16, num_steps=4, search=search, learn_from_search=learn)
    everything, _, _ = train(Arm(practises="search"), budget)
    np.testing.assert_array_equal(answers(everything), np.tile((np.arange(NUM) + 1) % NUM, (2, 1)))


@pytest.mark.slow
def test_devices_practise_together_and_learn_the_same():
    everything, scalars, cost = train(Arm(practises="reward"), num_devices=2)
    np.testing.assert_array_equal(answers(everything), np.tile((np.arange(NUM) + 1) % NUM, (2, 1)))
    assert everything.pupil.lessons.tolist() == [40 * 16 * 4] * 2 and cost.steps == 40 * 16 * 4
    assert (scalars["episodes"] == 16 * 4).all()


def test_what_cannot_be_is_said():
    with pytest.raises(SettingError, match="an arm must imitate, practise, or both"):
        arms.prepare(Arm(), BUDGET, POLICY, Teacher())
    with pytest.raises(SettingError, match="num_places must be a multiple of the 3 devices, got 16"):
        arms.prepare(Arm(practises="reward"), BUDGET, POLICY, Teacher(), num_devices=3)
    with pytest.raises(ValueError, match="practice needs a teacher"):
        arms.prepare(Arm(practises="reward"), BUDGET, POLICY)
    with pytest.raises(SettingError, match="batch_size must be at most the 64 steps of a rollout, got 100"):
        practice.updates_by_search(LearnConfig(batch_size=100), 64)


def test_a_seed_has_its_keys_whatever_others_there_are():
    few, many = arms.seed_keys(3, 2, 7), arms.seed_keys(2, 4, 7)
    np.testing.assert_array_equal(jax.random.key_data(few), jax.random.key_data(many)[1:3])
