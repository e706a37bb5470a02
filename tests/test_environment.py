"""`check` accepts the worlds that keep the contract, and names the law that a broken one breaks."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tictactoe import Corridor, State, TicTacToe

from go_env import Go
from rl_pretrain.environment import ContractError, check

KO_RULES = ("positional_superko", "situational_superko", "simple")


@pytest.mark.parametrize("world", [TicTacToe(), Corridor()], ids=["two players", "one player"])
def test_small_worlds_keep_every_law(world):
    check(world)


@pytest.mark.parametrize("go", [Go(3, ko="situational_superko")], ids=repr)
def test_go_keeps_every_law(go):
    check(go, num_episodes=8)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "ko"), list(itertools.product((2, 3, 5, 9), KO_RULES)))
def test_go_keeps_every_law_with_all_ko_rules(size, ko):
    check(Go(size, ko=ko))
    check(Go(size, ko=ko, memory=4, max_moves=size))


def test_a_step_is_compiled_once_for_all_steps():
    num_traces = 0

    class Counting(TicTacToe):
        def step(self, state, action):
            nonlocal num_traces
            num_traces += 1
            return super().step(state, action)

    env = Counting()
    step = jax.jit(env.step)
    state = env.init(jax.random.key(0))
    for square in range(9):
        state = step(state, jnp.int32(square))
    assert num_traces == 1


class ChangesDtype(TicTacToe):
    def step(self, state, action):
        after = super().step(state, action)
        return after._replace(board=after.board.astype(jnp.int32))


class ChangesShape(TicTacToe):
    def step(self, state, action):
        after = super().step(state, action)
        return after._replace(board=after.board[None])


class WeakTypeInStep(TicTacToe):
    def step(self, state, action):
        after = super().step(state, action)
        return after._replace(reward=jnp.where(after.reward == 1, 1.0, jnp.where(after.reward == 0, 0.0, -1.0)))


class WeakTypeInInit(TicTacToe):
    def init(self, key):
        return super().init(key)._replace(discount=jnp.asarray(-1.0))


class ChangesTree(TicTacToe):
    def step(self, state, action):
        after = super().step(state, action)
        return after._replace(board=(after.board,))


class WholeNumberReward(TicTacToe):
    def init(self, key):
        return super().init(key)._replace(reward=jnp.int32(0))

    def step(self, state, action):
        after = super().step(state, action)
        return after._replace(reward=after.reward.astype(jnp.int32))


class WrongObservationShape(TicTacToe):
    observation_shape = (9, 3)


class BooleanObservation(TicTacToe):
    def observe(self, state):
        return super().observe(state).astype(bool)


class LegalAsNumbers(TicTacToe):
    def legal_actions(self, state):
        return super().legal_actions(state).astype(jnp.int32)


class TooFewLegalActions(TicTacToe):
    num_actions = 10


class DiscountOfTwo(TicTacToe):
    def step(self, state, action):
        after = super().step(state, action)
        return after._replace(discount=2 * after.discount)


class RewardsAfterTheEnd(TicTacToe):
    def step(self, state, action):
        after = super().step(state, action)
        return after._replace(reward=jnp.where(state.discount == 0, state.reward, after.reward))


class MovesAfterTheEnd(TicTacToe):
    def step(self, state, action):
        return super().step(state, action)._replace(to_play=-state.to_play)


class Revives(TicTacToe):
    """Resets when a finished game is stepped, as gym's wrappers do."""

    def step(self, state, action):
        fresh = self.init(None)
        return jax.tree.map(lambda x, y: jnp.where(state.discount == 0, x, y), fresh, super().step(state, action))


class ResetsAtOnce(TicTacToe):
    """Resets in the step that ends the game, and passes on that it ended, as pgx's auto-reset does."""

    def step(self, state, action):
        after = super().step(state._replace(discount=jnp.float32(-1)), action)
        fresh = self.init(None)._replace(reward=after.reward, discount=after.discount)
        return jax.tree.map(lambda x, y: jnp.where(after.discount == 0, x, y), fresh, after)


class PlaysOnAtOnce(TicTacToe):
    """Resets in the step that ends the game, and shows the discount of the new game."""

    def step(self, state, action):
        after = super().step(state, action)
        fresh = self.init(None)._replace(reward=after.reward)
        return jax.tree.map(lambda x, y: jnp.where(after.discount == 0, x, y), fresh, after)


class NothingLegalAtTheEnd(TicTacToe):
    def legal_actions(self, state):
        return (state.board == 0) & (state.discount != 0)


class NotAllLegalAtTheEnd(TicTacToe):
    def legal_actions(self, state):
        return super().legal_actions(state).at[3].set(state.board[3] == 0)


class NothingLegalOnTheWay(TicTacToe):
    def legal_actions(self, state):
        is_stuck = (jnp.sum(state.board != 0) == 4) & (state.discount != 0)
        return super().legal_actions(state) & ~is_stuck


class NanForIllegal(TicTacToe):
    def step(self, state, action):
        after = super().step(state, action)
        is_illegal = ~self.legal_actions(state)[action]
        return after._replace(reward=jnp.where(is_illegal, jnp.float32(np.nan), after.reward))


class Timed(NamedTuple):
    board: jax.Array
    to_play: jax.Array
    reward: jax.Array
    discount: jax.Array
    pace: jax.Array


class NanInStateForIllegal(TicTacToe):
    def init(self, key):
        return Timed(*super().init(key), pace=jnp.float32(1))

    def step(self, state, action):
        is_illegal = ~self.legal_actions(state)[action]
        after = super().step(State(*state[:4]), action)
        return Timed(*after, pace=jnp.where(is_illegal, jnp.float32(np.nan), state.pace))


class InfinityInObservation(TicTacToe):
    def observe(self, state):
        return super().observe(state) / (jnp.sum(state.board == 0) - 5)


class Endless(Corridor):
    max_steps = 10**9

    def step(self, state, action):
        return super().step(state, action)._replace(discount=jnp.float32(1), reward=jnp.float32(0))


class OverBeforeItBegan(Corridor):
    def init(self, key):
        return super().init(key)._replace(discount=jnp.float32(0))


class ChanceInTracing(TicTacToe):
    def step(self, state, action):
        return super().step(state, action)._replace(reward=jnp.float32(np.random.default_rng().normal()))


class ArrayOfChanceInTracing(Corridor):
    def init(self, key):
        cell = jnp.asarray(np.random.default_rng().integers(0, 5, 100), jnp.int32)[0]
        return super().init(key)._replace(cell=cell)


class ChanceAtRunTime(TicTacToe):
    def step(self, state, action):
        def draw(_):
            return np.random.default_rng().choice(np.array([-1, 1], np.int8))

        after = super().step(state, action)
        shape = jax.ShapeDtypeStruct((), jnp.int8)
        drawn = jax.pure_callback(draw, shape, action, vmap_method="sequential")
        return after._replace(to_play=jnp.where(after.discount == 0, after.to_play, drawn))


BROKEN = {
    ChangesDtype: "law 1: step turns .board",
    ChangesShape: "law 1: step turns .board",
    WeakTypeInStep: "law 1: step gives .reward a weak type",
    WeakTypeInInit: "law 1: init gives .discount a weak type",
    ChangesTree: "law 1: step changes the tree structure",
    WholeNumberReward: "law 1: reward must be float32",
    WrongObservationShape: r"law 1: observe gives \(3, 3, 3\), observation_shape says \(9, 3\)",
    BooleanObservation: "law 1: observe must give floats or integers",
    LegalAsNumbers: "law 1: legal_actions must be bool",
    TooFewLegalActions: r"law 1: legal_actions must be bool \[10\]",
    DiscountOfTwo: "law 1: a discount is outside",
    RewardsAfterTheEnd: "law 2: a step after the end pays a reward",
    MovesAfterTheEnd: "law 2: a step after the end changes .to_play",
    Revives: "law 2: a step after the end revives",
    ResetsAtOnce: "law 2: a step after the end revives",
    PlaysOnAtOnce: "law 5: an episode is not over after 30 steps",
    NothingLegalAtTheEnd: "law 3: a state has no legal action",
    NotAllLegalAtTheEnd: "law 3: a finished episode must report all actions legal",
    NothingLegalOnTheWay: "law 3: a state has no legal action",
    NanForIllegal: "law 4: a reward is not finite",
    NanInStateForIllegal: "law 4: NaN in the state's .pace",
    InfinityInObservation: "law 4: an observation is not finite",
    Endless: "law 5: an episode is not over after 30 steps",
    OverBeforeItBegan: "law 5: an episode is over before it began",
    ChanceInTracing: "law 6: step is another program",
    ArrayOfChanceInTracing: "law 6: init is another program",
    ChanceAtRunTime: "law 6: the same step twice",
}


@pytest.mark.parametrize("mutant", BROKEN, ids=lambda mutant: mutant.__name__)
def test_a_broken_world_is_told_its_law(mutant):
    with pytest.raises(ContractError, match=f"^{BROKEN[mutant]}") as raised:
        check(mutant(), num_episodes=8, max_steps=30)
    assert "\n" not in str(raised.value)
