"""Tasks that are read and answered one token at a time.

An instance is a script: for each step the token shown, and the token asked for. While a prompt is shown, PAD is asked
for; a wrong token ends the episode. So all stream tasks have one step program, and differ in who writes the scripts.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from curricula.levels import Levels
from curricula.vocabulary import NUM_TOKENS, Token

Reward = Literal["token", "terminal"]


class Script(NamedTuple):
    """What a task writes; entries from `length` on are PAD."""

    shown: jax.Array  # int8 [T]: tokens
    asked: jax.Array  # int8 [T]: tokens; PAD while there is nothing to say
    length: jax.Array  # int32: steps of the episode


class Instance(NamedTuple):
    """A script and where it comes from: what an episode begins with."""

    script: Script
    level: jax.Array  # int32


class State(NamedTuple):
    """An episode."""

    instance: Instance
    time: jax.Array  # int32: tokens got right so far, those of reading included
    last_action: jax.Array  # int32: the token said in the step before, PAD at the beginning
    reward: jax.Array  # float32
    discount: jax.Array  # float32: 1 while the episode goes on, 0 once it is over


@dataclasses.dataclass(frozen=True)
class Stream:
    """A stream task, as an environment of `rl_pretrain`'s contract whose `init` also takes a level.

    An episode ends with the first wrong token or the last right one; it never takes longer than its script. Saying
    anything but PAD while reading is illegal and ends it too.

    Attributes:
      name: of the task, for people.
      levels: the knobs of each level.
      write: `(key, knobs)` → Script with arrays of `max_steps`; knobs as `levels.at` gives them.
      max_steps: room for the longest script of all levels, even those beyond training.
      answers: tokens that an answer may hold; others are illegal.
      reward: `token` pays 1 / (number of tokens asked for) for each right one, `terminal` 1 for the last one only. The
        return of an episode is 1 exactly if it is solved.
    """

    name: str
    levels: Levels
    write: Callable[[jax.Array, Any], Script]
    max_steps: int
    answers: tuple[int, ...]
    reward: Reward = "token"

    def __post_init__(self):
        if self.reward not in get_args(Reward):
            raise ValueError(f"reward must be token or terminal, got {self.reward!r}")

    @property
    def num_actions(self) -> int:
        return NUM_TOKENS

    @property
    def observation_shape(self) -> tuple[int]:
        """The token shown and the last action: int32 `[2]`."""
        return (2,)

    def sample(self, key: jax.Array, level: jax.Array | int) -> Instance:
        """A random instance of a level."""
        level = self.levels.check(level)
        return Instance(self.write(key, self.levels.at(level)), level)

    def init(self, key: jax.Array, level: jax.Array | int | None = None) -> State:
        """The beginning of a random episode, by default of a random training level."""
        if level is None:
            level_key, key = jax.random.split(key)
            level = jax.random.randint(level_key, (), 0, self.levels.num_train)
        return self.reset(self.sample(key, level))

    def reset(self, instance: Instance) -> State:
        """The beginning of the episode of an instance."""
        return State(instance, jnp.int32(0), jnp.int32(Token.PAD), jnp.float32(0), jnp.float32(1))

    def step(self, state: State, action: jax.Array) -> State:
        """The episode after a token has been said."""
        script = state.instance.script
        action = jnp.asarray(action, jnp.int32)
        is_going_on = state.discount != 0
        is_right = is_going_on & (action == script.asked[state.time])
        time = state.time + is_right
        is_over = ~is_right | (time == script.length)
        return State(
            instance=state.instance,
            time=time,
            last_action=jnp.where(is_going_on, action, state.last_action),
            reward=jnp.where(is_right, self._worth(script, state.time), 0.0),
            discount=jnp.where(is_over, 0.0, 1.0).astype(jnp.float32),
        )

    def observe(self, state: State) -> jax.Array:
        """int32 `[2]`: the token shown now, PAD once the episode is over, and the last action."""
        shown = jnp.where(state.discount != 0, state.instance.script.shown[state.time], Token.PAD)
        return jnp.stack([shown.astype(jnp.int32), state.last_action])

    def legal_actions(self, state: State) -> jax.Array:
        """bool `[tokens]`: PAD while reading, a token of `answers` where one is asked for, all once it is over."""
        is_answer = state.instance.script.asked[state.time] != Token.PAD
        legal = jnp.where(is_answer, self._may_be_said, np.arange(NUM_TOKENS) == Token.PAD)
        return legal | (state.discount == 0)

    def is_solved(self, state: State) -> jax.Array:
        """Whether the episode has ended with every token right."""
        return state.time == state.instance.script.length

    def expert(self, state: State) -> jax.Array:
        """The right action: int32 `[]`."""
        return state.instance.script.asked[state.time].astype(jnp.int32)

    def min_steps(self, instance: Instance) -> jax.Array:
        """Steps of a solved episode: int32 `[]`."""
        return instance.script.length

    def shown(self, instance: Instance) -> jax.Array:
        """What tells instances apart, the tokens shown: int32 `[T]`."""
        script = instance.script
        return jnp.where(np.arange(len(script.shown)) < script.length, script.shown, Token.PAD).astype(jnp.int32)

    @property
    def _may_be_said(self) -> np.ndarray:
        return np.isin(np.arange(NUM_TOKENS), self.answers)

    def _worth(self, script: Script, time: jax.Array) -> jax.Array:
        """Reward for the right token at this time."""
        if self.reward == "terminal":
            return (time + 1 == script.length).astype(jnp.float32)
        is_asked = script.asked != Token.PAD
        return is_asked[time] / jnp.maximum(jnp.sum(is_asked), 1).astype(jnp.float32)


def ask(prompt: jax.Array, prompt_length: jax.Array | int, answer: jax.Array, answer_length: jax.Array | int) -> Script:
    """The script of a prompt and then its answer, the first token of which is asked for as ANSWER is shown.

    Args:
      prompt: tokens `[P]`, those from `prompt_length` on without meaning; answer: tokens `[A]`, likewise.

    Returns: a script with room for P + A steps, `prompt_length + answer_length` of them used.
    """
    time = jnp.arange(len(prompt) + len(answer), dtype=jnp.int32)
    length = jnp.asarray(prompt_length + answer_length, jnp.int32)
    shown = jnp.where(time < prompt_length, prompt[jnp.minimum(time, len(prompt) - 1)], Token.PAD)
    shown = jnp.where(time == prompt_length, Token.ANSWER, shown)
    asked = answer[jnp.clip(time - prompt_length, 0, len(answer) - 1)]
    asked = jnp.where((time >= prompt_length) & (time < length), asked, Token.PAD)
    return Script(shown.astype(jnp.int8), asked.astype(jnp.int8), length)
