"""Writing a program as an environment: a command at each step, and at the last one the program is run.

rules = Rules(capacity=16)
bank = cases.bank(ladder.problems(), "train", 256)
rows = Writing(rules, cases.draw(bank, key, 8), problem)  # an environment; each row is to be solved by a program
practice.by_reward(..., teacher=lessons.Lessons(rules, bank, schedule, num_rows=256), num_steps=rules.capacity)

An action is a token of `esolang.brainfuck`: 1 to 8 for `><+-.,[]`, 0 for the end, after which nothing but the end can
be written. All episodes take as many steps as a program has room, so that those that begin together end together and
are graded in one batch, see `esolang.grading`. Programs with an end are often shorter than their episodes; steps
without a choice teach a policy nothing and are not counted by `rl_pretrain.policy_gradient`.
"""

import dataclasses
import functools
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp

from esolang import grading
from esolang.brainfuck_reference import COMMANDS, Options
from esolang.brainfuck_words import CLOSE, END, OPEN
from esolang.grading import Kind
from esolang.problems.brain_coder import DIALECT
from esolang.problems.cases import Cases

NUM_ACTIONS = 1 + len(COMMANDS)
NOTHING_YET = NUM_ACTIONS
"""What is seen as the last action before the first."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """How programs are written, run and rewarded.

    Attributes:
      capacity: commands of a program at most, and steps of an episode.
      options: of the interpreter; `max_output` should be above the longest answer.
      is_guided: whether brackets without partner cannot be written: no `]` where none is open, and room is left to
        close all that are. Else such programs are run as `options.brackets` says.
      reward: `terminal` pays 1 for a program that is right in all cases; `graded` pays
        `problems.reward.graded`, but no less than -1, and so does `in_order`, in which a number counts only where all
        before it are right. Each is paid at the last step, and is 1 only if it is right.
      prefers_short: whether `graded` and `in_order` pay less for longer programs.
    """

    capacity: int = 16
    options: Options = dataclasses.replace(DIALECT, max_steps=1000)
    is_guided: bool = True
    reward: Kind = "terminal"
    prefers_short: bool = False

    def __post_init__(self):
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {self.capacity}")
        if self.reward not in get_args(Kind):
            raise ValueError(f"reward must be one of {', '.join(get_args(Kind))}, got {self.reward!r}")

    def rows(self, cases: Cases, problem: jax.Array) -> "Writing":
        """A row for each of these problems: int32 `[N]`."""
        return Writing(self, cases, problem)

    def num_tokens(self, num_problems: int) -> int:
        """Numbers seen are below it."""
        return max(NUM_ACTIONS + 1, self.capacity + 1, num_problems)


class Episode(NamedTuple):
    """A program that is being written."""

    row: jax.Array  # int32
    linked: jax.Array  # int32 [C]: tokens with the partners of brackets, as `brainfuck.run` takes them
    opened: jax.Array  # int32 [C]: where the brackets are that are open, the innermost last
    depth: jax.Array  # int32: how many there are
    time: jax.Array  # int32: steps taken
    last_action: jax.Array  # int32
    is_right: jax.Array  # bool: finished and right in all cases
    reward: jax.Array  # float32
    discount: jax.Array  # float32: 1 while it is being written, then 0


@functools.partial(jax.tree_util.register_dataclass, data_fields=["cases", "problem"], meta_fields=["rules"])
@dataclasses.dataclass(frozen=True)
class Writing:
    """N rows, each a problem to solve: an environment of `rl_pretrain`'s contract.

    A pytree: pass it to `jit` as an argument, so that new cases of the same shape compile nothing. An illegal action
    writes nothing and ends the episode without reward.
    """

    rules: Rules
    cases: Cases  # of P problems
    problem: jax.Array  # int32 [N]

    @property
    def num_rows(self) -> int:
        return len(self.problem)

    @property
    def level(self) -> jax.Array:
        """The problem of each row: int32 `[N]`."""
        return self.problem

    @property
    def num_actions(self) -> int:
        return NUM_ACTIONS

    @property
    def observation_shape(self) -> tuple[int]:
        return (4,)

    def init(self, key: jax.Array) -> Episode:
        """The episode of a random row."""
        return self.at(jax.random.randint(key, (), 0, self.num_rows))

    def at(self, row: jax.Array) -> Episode:
        """The beginning of the episode of a row."""
        zero, nothing = jnp.int32(0), jnp.zeros(self.rules.capacity, jnp.int32)
        state = Episode(zero, nothing, nothing, zero, zero, zero, jnp.bool_(False), jnp.float32(0), jnp.float32(1))
        return state._replace(row=jnp.asarray(row, jnp.int32), last_action=jnp.int32(NOTHING_YET))

    def step(self, episode: Episode, action: jax.Array) -> Episode:
        """The episode after a command, or the end, has been written."""
        action = jnp.asarray(action, jnp.int32)
        is_going_on = episode.discount != 0
        is_legal = is_going_on & self.legal_actions(episode)[action]
        written = _write(episode, action)
        after = jax.tree.map(lambda new, old: jnp.where(is_legal, new, old), written, episode)
        is_finished = is_legal & (after.time == self.rules.capacity)
        grade = grading.grader(self.rules.options, self.rules.reward, self.rules.prefers_short)
        marks = grade(is_finished[None], after.linked[None], self.problem[episode.row][None], self.cases)
        return after._replace(
            last_action=jnp.where(is_going_on, action, episode.last_action),
            is_right=after.is_right | marks.is_right[0],
            reward=marks.reward[0],
            discount=(is_legal & ~is_finished).astype(jnp.float32),
        )

    def renew(self, episode: Episode, stride: int = 1) -> Episode:
        """The episode itself, or that of the row `stride` further on if it is over, as in `curricula.pool`."""
        is_over = episode.discount == 0
        fresh = self.at((episode.row + stride) % self.num_rows)
        return jax.tree.map(lambda new, old: jnp.where(is_over, new, old), fresh, episode)

    def observe(self, episode: Episode) -> jax.Array:
        """int32 `[4]`: the number of the problem, the last action, how many brackets are open, steps taken."""
        seen = self.problem[episode.row], episode.last_action, episode.depth, episode.time
        return jnp.stack(seen).astype(jnp.int32)

    def legal_actions(self, episode: Episode) -> jax.Array:
        """bool `[9]`: nothing but the end after the end, balanced brackets where `is_guided`; all once it is over."""
        token = jnp.arange(NUM_ACTIONS)
        has_ended = episode.last_action == END
        legal = ~has_ended | (token == END)
        if self.rules.is_guided:
            room = self.rules.capacity - episode.time
            depth = episode.depth + (token == OPEN) - (token == CLOSE)
            legal &= (depth >= 0) & (depth <= room - 1) & ((token != END) | (depth == 0))
        return legal | (episode.discount == 0)

    def is_solved(self, episode: Episode) -> jax.Array:
        return episode.is_right


def _write(episode: Episode, action: jax.Array) -> Episode:
    """The program with one token more, and its brackets linked."""
    place = jnp.arange(len(episode.linked))
    opens, closes = action == OPEN, (action == CLOSE) & (episode.depth > 0)
    partner = jnp.where(closes, episode.opened[jnp.maximum(episode.depth - 1, 0)], episode.time)
    token = jnp.where(action >= OPEN, action | partner << 4, action)
    linked = jnp.where(closes & (place == partner), OPEN | episode.time << 4, episode.linked)
    return episode._replace(
        linked=jnp.where(place == episode.time, token, linked),
        opened=jnp.where(opens & (place == episode.depth), episode.time, episode.opened),
        depth=episode.depth + opens - closes,
        time=episode.time + 1,
    )


def text(linked: Any) -> str:
    """A program as it is read by people: of tokens, linked or not, `[C]`."""
    return "".join(COMMANDS[(int(token) & 15) - 1] for token in linked if int(token) & 15)
