"""Tasks that are acted in: a head moves along a tape, a row is put in order, numbers are combined.

What such tasks share is the course of an episode, here; what an action does is told by the rules of each task. A
puzzle is what an instance gives and no action changes; a place is how far an episode has come.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, get_args

import jax
import jax.numpy as jnp
import numpy as np

from curricula.levels import Levels
from curricula.stream import Reward
from curricula.vocabulary import NUM_TOKENS, Token

Choices = Sequence[tuple[int, jax.Array | bool]]
"""Tokens, all different, and of each whether it is legal. The others never are."""


class Rules(Protocol):
    """What a task is; for one episode, pure. Puzzles and places are pytrees of arrays of the rules' own."""

    @property
    def num_seen(self) -> int:
        """Tokens that `look` gives."""
        ...

    def write(self, key: jax.Array, knobs: Any) -> Any:
        """A random puzzle, not solved yet. What it does not use is zero, so that equal puzzles are equal arrays."""
        ...

    def begin(self, puzzle: Any) -> Any:
        """The first place."""
        ...

    def move(self, puzzle: Any, place: Any, action: jax.Array) -> Any:
        """The place after a legal action."""
        ...

    def look(self, puzzle: Any, place: Any) -> jax.Array:
        """Tokens seen: int32 `[num_seen]`."""
        ...

    def choices(self, puzzle: Any, place: Any) -> Choices:
        """The actions of the task, and which are legal now: at least one unless it is solved or lost."""
        ...

    def is_solved(self, puzzle: Any, place: Any) -> jax.Array: ...

    def is_lost(self, puzzle: Any, place: Any) -> jax.Array:
        """Whether a mistake was made that ends the episode."""
        ...

    def progress(self, puzzle: Any, place: Any) -> jax.Array:
        """Share of the task that is done: float32, 1 where it is solved."""
        ...

    def limit(self, puzzle: Any) -> jax.Array:
        """Steps after which an episode is over in any case: int32. Enough for the expert, from the beginning."""
        ...

    def plan(self, puzzle: Any, place: Any) -> jax.Array:
        """The first action of a shortest way to solve it from here: int32. Any legal one if there is no way."""
        ...

    def min_steps(self, puzzle: Any) -> jax.Array:
        """Fewest steps that solve it: int32."""
        ...


class Instance(NamedTuple):
    """A puzzle and where it comes from: what an episode begins with."""

    puzzle: Any
    level: jax.Array  # int32


class State(NamedTuple):
    """An episode."""

    instance: Instance
    place: Any
    time: jax.Array  # int32: steps taken
    last_action: jax.Array  # int32: PAD at the beginning
    reward: jax.Array  # float32
    discount: jax.Array  # float32: 1 while the episode goes on, 0 once it is over


@dataclasses.dataclass(frozen=True)
class Act:
    """A task that is acted in, as an environment of `rl_pretrain`'s contract whose `init` also takes a level.

    An episode is over once it is solved or lost, or when the rules' limit of steps is reached, which counts as lost:
    nothing is truncated. An illegal action changes nothing and ends it too.

    Attributes:
      name: of the task, for people.
      levels: the knobs of each level.
      rules: what the task is.
      max_steps: the greatest limit of all levels.
      reward: `terminal` pays 1 when it is solved, `token` each gain of progress (and takes it back for a loss). The
        return of an episode is 1 exactly if it is solved.
    """

    name: str
    levels: Levels
    rules: Rules
    max_steps: int
    reward: Reward = "token"

    def __post_init__(self):
        if self.reward not in get_args(Reward):
            raise ValueError(f"reward must be token or terminal, got {self.reward!r}")

    @property
    def num_actions(self) -> int:
        return NUM_TOKENS

    @property
    def observation_shape(self) -> tuple[int]:
        """What is seen, then the last action: int32 `[num_seen + 1]`."""
        return (self.rules.num_seen + 1,)

    def sample(self, key: jax.Array, level: jax.Array | int) -> Instance:
        """A random instance of a level."""
        level = self.levels.check(level)
        return Instance(self.rules.write(key, self.levels.at(level)), level)

    def init(self, key: jax.Array, level: jax.Array | int | None = None) -> State:
        """The beginning of a random episode, by default of a random training level."""
        if level is None:
            level_key, key = jax.random.split(key)
            level = jax.random.randint(level_key, (), 0, self.levels.num_train)
        return self.reset(self.sample(key, level))

    def reset(self, instance: Instance) -> State:
        """The beginning of the episode of an instance."""
        place = self.rules.begin(instance.puzzle)
        return State(instance, place, jnp.int32(0), jnp.int32(Token.PAD), jnp.float32(0), jnp.float32(1))

    def step(self, state: State, action: jax.Array) -> State:
        """The episode after an action."""
        rules, puzzle = self.rules, state.instance.puzzle
        action = jnp.asarray(action, jnp.int32)
        is_going_on = state.discount != 0
        is_legal = is_going_on & _is_among(action, rules.choices(puzzle, state.place))
        moved = rules.move(puzzle, state.place, action)
        place = jax.tree.map(lambda new, old: jnp.where(is_legal, new, old), moved, state.place)
        time = state.time + is_going_on
        is_solved = rules.is_solved(puzzle, place)
        is_over = ~is_legal | is_solved | rules.is_lost(puzzle, place) | (time >= rules.limit(puzzle))
        if self.reward == "terminal":
            gain = is_solved.astype(jnp.float32)
        else:
            gain = rules.progress(puzzle, place) - rules.progress(puzzle, state.place)
        return State(
            instance=state.instance,
            place=place,
            time=time,
            last_action=jnp.where(is_going_on, action, state.last_action),
            reward=jnp.where(is_legal, gain, 0.0).astype(jnp.float32),
            discount=jnp.where(is_over, 0.0, 1.0).astype(jnp.float32),
        )

    def observe(self, state: State) -> jax.Array:
        """int32 `[num_seen + 1]`: what is seen, PAD once the episode is over, then the last action."""
        seen = jnp.where(state.discount != 0, self.rules.look(state.instance.puzzle, state.place), Token.PAD)
        return jnp.append(seen, state.last_action).astype(jnp.int32)

    def legal_actions(self, state: State) -> jax.Array:
        """bool `[tokens]`: what the rules allow, all once the episode is over."""
        choices = self.rules.choices(state.instance.puzzle, state.place)
        return _is_among(np.arange(NUM_TOKENS), choices) | (state.discount == 0)

    def is_solved(self, state: State) -> jax.Array:
        return self.rules.is_solved(state.instance.puzzle, state.place)

    def expert(self, state: State) -> jax.Array:
        """The first action of a shortest way to solve it: int32 `[]`."""
        return self.rules.plan(state.instance.puzzle, state.place).astype(jnp.int32)

    def min_steps(self, instance: Instance) -> jax.Array:
        """Steps of the shortest solved episode: int32 `[]`."""
        return self.rules.min_steps(instance.puzzle)

    def shown(self, instance: Instance) -> jax.Array:
        """All that tells instances apart, as one row of numbers: int32 `[n]`."""
        return jnp.concatenate([jnp.ravel(leaf).astype(jnp.int32) for leaf in jax.tree.leaves(instance.puzzle)])


def _is_among(action: jax.Array | np.ndarray, choices: Choices) -> jax.Array:
    """Whether each action is legal: bool, of the same shape. One action costs no mask of all tokens."""
    return functools.reduce(jnp.logical_or, ((action == token) & is_legal for token, is_legal in choices))
