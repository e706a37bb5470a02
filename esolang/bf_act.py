"""Acting in the Brainf**k machine: its commands as actions on a live tape, the step before writing programs.

The problems are those of `esolang.problems`; an episode is one case. Who acts does by hand what a program would do:
moves, counts, reads and writes, one command at a time, and says when the output is complete. What a loop is for, the
policy's own memory must do. Solutions are shown by programs: `demonstration` gives the actions of one that is right.

rows = Rules().rows(cases.draw(bank, key, 8), problem)  # an environment, for practice as `esolang.env` is
"""

import dataclasses
import functools
from typing import NamedTuple, get_args

import jax
import jax.numpy as jnp

from curricula.stream import Reward
from esolang import brainfuck_reference
from esolang.brainfuck_reference import COMMANDS
from esolang.brainfuck_words import END, LEFT, MINUS, PLUS, READ, RIGHT, WRITE
from esolang.problems.cases import Cases

NUM_ACTIONS = READ + 1
"""END, and the commands but for brackets; numbers as in written programs."""
NOTHING_YET = 256
"""What is seen as the last number read, and as the last action, before the first."""
NUM_TOKENS = NOTHING_YET + 1
"""Numbers seen are below it, if there are no more problems than that."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """The machine and its rewards. Cells count to 255 and wrap; reading after the last input gives 0.

    Attributes:
      cells: of the tape, whose ends cannot be left.
      max_steps: an episode that is not over by then is lost.
      reward: `token` pays an equal share for each number that is rightly written, and for END after the last one;
        `terminal` 1 for that END only. The return of an episode is 1 exactly if it is solved.
    """

    cells: int = 12
    max_steps: int = 64
    reward: Reward = "token"

    def __post_init__(self):
        for name in ("cells", "max_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.reward not in get_args(Reward):
            raise ValueError(f"reward must be token or terminal, got {self.reward!r}")

    def rows(self, cases: Cases, problem: jax.Array) -> "Acting":
        """A row for each of these problems, int32 `[N]`; rows go through the cases in turn."""
        return Acting(self, cases, problem)


class Episode(NamedTuple):
    """A machine at work on a case."""

    row: jax.Array  # int32
    tape: jax.Array  # int32 [cells]
    pointer: jax.Array  # int32
    num_read: jax.Array  # int32: inputs that are used up
    last_read: jax.Array  # int32: NOTHING_YET before the first
    num_written: jax.Array  # int32: all of them right
    time: jax.Array  # int32
    last_action: jax.Array  # int32
    is_done: jax.Array  # bool: ended with the output complete
    reward: jax.Array  # float32
    discount: jax.Array  # float32: 1 while it goes on, then 0


@functools.partial(jax.tree_util.register_dataclass, data_fields=["cases", "problem"], meta_fields=["rules"])
@dataclasses.dataclass(frozen=True)
class Acting:
    """N rows, each a case to be worked through: an environment of `rl_pretrain`'s contract, and a pytree.

    A wrong number written, one too many, an END too early or an illegal action ends the episode unsolved.
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
        zero, tape, nothing = jnp.int32(0), jnp.zeros(self.rules.cells, jnp.int32), jnp.int32(NOTHING_YET)
        row = jnp.asarray(row, jnp.int32)
        rest = zero, zero, nothing, jnp.bool_(False), jnp.float32(0), jnp.float32(1)
        return Episode(row, tape, zero, zero, nothing, *rest)

    def step(self, episode: Episode, action: jax.Array) -> Episode:
        """The machine after a command."""
        action = jnp.asarray(action, jnp.int32)
        is_going_on = episode.discount != 0
        is_legal = is_going_on & self.legal_actions(episode)[action]
        of = self.problem[episode.row], episode.row % self.cases.data_length.shape[1]
        cell = episode.tape[episode.pointer]

        num_asked = self.cases.expected_length[of]
        is_complete = episode.num_written == num_asked
        asked = _at(self.cases.expected[of], episode.num_written)
        is_right = is_legal & (action == WRITE) & ~is_complete & (cell == asked)
        is_done = is_legal & (action == END) & is_complete
        is_lost = (action == WRITE) & ~is_right

        reads = action == READ
        has_more = episode.num_read < self.cases.data_length[of]
        byte = jnp.where(has_more, _at(self.cases.data[of], episode.num_read), 0)
        value = jnp.where(reads, byte, (cell + (action == PLUS) - (action == MINUS)) % 256)
        moved = episode._replace(
            tape=jnp.where(jnp.arange(self.rules.cells) == episode.pointer, value, episode.tape),
            pointer=episode.pointer + (action == RIGHT) - (action == LEFT),
            num_read=episode.num_read + (reads & has_more),
            last_read=jnp.where(reads, byte, episode.last_read),
            num_written=episode.num_written + is_right,
            is_done=is_done,
        )
        after = jax.tree.map(lambda new, old: jnp.where(is_legal, new, old), moved, episode)
        time = episode.time + is_going_on
        is_over = ~is_legal | is_lost | (action == END) | (time >= self.rules.max_steps)
        is_paid = is_done | (is_right & (self.rules.reward == "token"))
        worth = 1 / (1 + num_asked) if self.rules.reward == "token" else 1.0
        return after._replace(
            time=time,
            last_action=jnp.where(is_going_on, action, episode.last_action),
            reward=jnp.where(is_paid, worth, 0.0).astype(jnp.float32),
            discount=jnp.where(is_over, 0.0, 1.0).astype(jnp.float32),
        )

    def renew(self, episode: Episode, stride: int = 1) -> Episode:
        """The episode itself, or that of the row `stride` further on if it is over, as in `curricula.pool`."""
        is_over = episode.discount == 0
        fresh = self.at((episode.row + stride) % self.num_rows)
        return jax.tree.map(lambda new, old: jnp.where(is_over, new, old), fresh, episode)

    def observe(self, episode: Episode) -> jax.Array:
        """int32 `[4]`: the number of the problem, the cell, the last number read, the last action."""
        cell = episode.tape[episode.pointer]
        return jnp.stack([self.problem[episode.row], cell, episode.last_read, episode.last_action]).astype(jnp.int32)

    def legal_actions(self, episode: Episode) -> jax.Array:
        """bool `[7]`: all but moves off the tape; all once the episode is over."""
        action = jnp.arange(NUM_ACTIONS)
        pointer = episode.pointer + (action == RIGHT) - (action == LEFT)
        return (pointer >= 0) & (pointer < self.rules.cells) | (episode.discount == 0)

    def is_solved(self, episode: Episode) -> jax.Array:
        return episode.is_done


def _at(row: jax.Array, index: jax.Array) -> jax.Array:
    """A number of a row, its last one for what is beyond it."""
    return row[jnp.minimum(index, len(row) - 1)].astype(jnp.int32)


def demonstration(program: str, data: bytes, max_steps: int = 1000) -> list[int]:
    """The actions of a program on an input: the commands it executes without the brackets, then END.

    Raises:
      ValueError: it does not end within so many commands, or leaves the tape to the left.
    """
    code = brainfuck_reference.commands(program)
    jumps, _ = brainfuck_reference.partners(code)
    tape, pointer, num_read, position, actions = {}, 0, 0, 0, []
    for _ in range(max_steps):
        if position == len(code):
            return [*actions, END]
        command, cell = code[position], tape.get(pointer, 0)
        if command in "[]":
            position = jumps[position] if (command == "[") == (cell == 0) else position
        else:
            actions.append(COMMANDS.index(command) + 1)
            pointer += (command == ">") - (command == "<")
            if pointer < 0:
                raise ValueError(f"{program} leaves the tape to the left on {data!r}")
            if command in "+-":
                tape[pointer] = (cell + (1 if command == "+" else -1)) % 256
            if command == ",":
                tape[pointer], num_read = (data[num_read] if num_read < len(data) else 0), num_read + 1
        position += 1
    raise ValueError(f"{program} does not end within {max_steps} commands on {data!r}")
