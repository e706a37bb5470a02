"""Instances written beforehand, so that a rollout shows tokens and writes none.

Writing an instance costs a hundred times what a step of it does, and under `jit` an environment that resets itself
writes one at every step, needed or not. A `Pool` is written once in a while; an episode is then a row number and a
time, 20 bytes, and a new one begins with the next row. Of B episodes side by side each has N / B rows to itself, and
plays all of them before it plays one again: write the next pool before that, or know that instances repeat.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula import split as splits
from curricula.split import Split
from curricula.stream import Instance, Stream
from curricula.vocabulary import NUM_TOKENS, Token

_SHIFT = 6  # bits of a token: NUM_TOKENS <= 64


class Episode(NamedTuple):
    """An episode of a pool: `curricula.stream.State` with the row of the instance in place of the instance."""

    row: jax.Array  # int32
    time: jax.Array  # int32
    last_action: jax.Array  # int32
    reward: jax.Array  # float32
    discount: jax.Array  # float32


class Pool(NamedTuple):
    """Instances of one or several stream tasks, as an environment of the contract; N rows, T the longest script.

    A pytree: pass it to `jit` as an argument, so that a new pool of the same shape compiles nothing.
    """

    scripts: jax.Array  # int16 [N · T]: token shown, plus 64 times the token asked for
    length: jax.Array  # int32 [N]
    worth: jax.Array  # float32 [N]: reward of a right token
    is_terminal: jax.Array  # bool [N]: whether only the last right token is paid
    level: jax.Array  # int32 [N]: level of the task
    task: jax.Array  # int32 [N]: which of the tasks that were joined
    answers: jax.Array  # bool [tasks, tokens]: what a task's answers may hold

    @property
    def num_rows(self) -> int:
        return len(self.length)

    @property
    def num_actions(self) -> int:
        return NUM_TOKENS

    @property
    def observation_shape(self) -> tuple[int]:
        return (2,)

    def init(self, key: jax.Array) -> Episode:
        """The episode of a random row."""
        return self.at(jax.random.randint(key, (), 0, self.num_rows))

    def at(self, row: jax.Array) -> Episode:
        """The beginning of the episode of a row."""
        row = jnp.asarray(row, jnp.int32)
        return Episode(row, jnp.int32(0), jnp.int32(Token.PAD), jnp.float32(0), jnp.float32(1))

    def step(self, episode: Episode, action: jax.Array) -> Episode:
        """What `Stream.step` does."""
        action = jnp.asarray(action, jnp.int32)
        is_going_on = episode.discount != 0
        asked = self._entry(episode) >> _SHIFT
        is_right = is_going_on & (action == asked)
        time = episode.time + is_right
        is_last = time == self.length[episode.row]
        is_paid = is_right & (asked != Token.PAD) & (is_last | ~self.is_terminal[episode.row])
        return Episode(
            row=episode.row,
            time=time,
            last_action=jnp.where(is_going_on, action, episode.last_action),
            reward=jnp.where(is_paid, self.worth[episode.row], 0.0),
            discount=jnp.where(is_right & ~is_last, 1.0, 0.0).astype(jnp.float32),
        )

    def renew(self, episode: Episode, stride: int = 1) -> Episode:
        """The episode itself, or that of the row `stride` further on if it is over.

        B episodes that begin at rows 0 … B-1 and go on with `stride=B` share no row, if N is a multiple of B.
        """
        is_over = episode.discount == 0
        fresh = self.at((episode.row + stride) % self.num_rows)
        return jax.tree.map(lambda new, old: jnp.where(is_over, new, old), fresh, episode)

    def observe(self, episode: Episode) -> jax.Array:
        """int32 `[2]`: what `Stream.observe` gives."""
        shown = jnp.where(episode.discount != 0, self._entry(episode) & (2**_SHIFT - 1), Token.PAD)
        return jnp.stack([shown, episode.last_action])

    def legal_actions(self, episode: Episode) -> jax.Array:
        """bool `[tokens]`: what `Stream.legal_actions` gives."""
        is_answer = self._entry(episode) >> _SHIFT != Token.PAD
        legal = jnp.where(is_answer, self.answers[self.task[episode.row]], np.arange(NUM_TOKENS) == Token.PAD)
        return legal | (episode.discount == 0)

    def is_solved(self, episode: Episode) -> jax.Array:
        return episode.time == self.length[episode.row]

    def expert(self, episode: Episode) -> jax.Array:
        """The right action: int32 `[]`."""
        return self._entry(episode) >> _SHIFT

    def prompt(self, episode: Episode) -> tuple[jax.Array, jax.Array]:
        """What is shown before the first answer is due: tokens int32 `[T]`, and how many of them."""
        room = len(self.scripts) // self.num_rows
        script = jax.lax.dynamic_slice_in_dim(self.scripts, episode.row * room, room).astype(jnp.int32)
        return script & (2**_SHIFT - 1), jnp.argmax(script >> _SHIFT != Token.PAD).astype(jnp.int32)

    def _entry(self, episode: Episode) -> jax.Array:
        """Token shown and token asked for, packed; those of the last step once a script is done."""
        room = len(self.scripts) // self.num_rows
        time = jnp.minimum(episode.time, room - 1)
        return self.scripts[episode.row * room + time].astype(jnp.int32)


def write(task: Stream, key: jax.Array, levels: jax.Array, split: Split | None = None) -> Pool:
    """A pool with a new instance for each of the `levels`: int32 `[N]`.

    Args:
      split: which instances to draw from, see `curricula.split`; all of them by default.
    """
    return from_instances(task, splits.draw(task, key, levels, split))


def from_instances(task: Stream, instances: Instance) -> Pool:
    """A pool of given instances: arrays `[N, ...]`."""
    shown, asked, length = (x.astype(jnp.int32) for x in instances.script)
    num_rows = len(length)
    is_terminal = task.reward == "terminal"
    num_asked = jnp.maximum(jnp.sum(asked != Token.PAD, axis=1), 1)
    return Pool(
        scripts=(shown | asked << _SHIFT).astype(jnp.int16).reshape(-1),
        length=length,
        worth=jnp.where(is_terminal, 1.0, 1 / num_asked).astype(jnp.float32),
        is_terminal=jnp.full(num_rows, is_terminal),
        level=instances.level,
        task=jnp.zeros(num_rows, jnp.int32),
        answers=jnp.isin(jnp.arange(NUM_TOKENS), jnp.array(task.answers))[None],
    )


def take(pool: Pool, rows: jax.Array) -> Pool:
    """Some rows, in the order given: int32 `[n]`; one that is given twice is there twice."""
    scripts = pool.scripts.reshape(pool.num_rows, -1)[rows].reshape(-1)
    rest = jax.tree.map(lambda x: x[rows], pool._replace(scripts=(), answers=()))
    return rest._replace(scripts=scripts, answers=pool.answers)


def repeat(pool: Pool, times: int) -> Pool:
    """Each row several times, one after another."""
    return take(pool, jnp.repeat(jnp.arange(pool.num_rows), times))


def join(pools: list[Pool]) -> Pool:
    """A mixture: all rows of several pools, in the order given; `task` says which pool a row is from."""
    if not pools:
        raise ValueError("join takes at least one pool, got none")
    rooms = [len(pool.scripts) // pool.num_rows for pool in pools]
    scripts = [
        jnp.pad(pool.scripts.reshape(pool.num_rows, room), ((0, 0), (0, max(rooms) - room))).reshape(-1)
        for pool, room in zip(pools, rooms, strict=True)
    ]
    offsets = np.cumsum([0, *(len(pool.answers) for pool in pools)])
    rest = jax.tree.map(lambda *x: jnp.concatenate(x), *(pool._replace(scripts=()) for pool in pools))
    task = jnp.concatenate([pool.task + int(offset) for pool, offset in zip(pools, offsets, strict=False)])
    return rest._replace(scripts=jnp.concatenate(scripts), task=task)


def announce(pool: Pool, token: int) -> Pool:
    """Every episode shows this token before all others, so that a reasoner of several tasks knows which one it is."""
    scripts = jnp.pad(pool.scripts.reshape(pool.num_rows, -1), ((0, 0), (1, 0)), constant_values=token)
    return pool._replace(scripts=scripts.reshape(-1), length=pool.length + 1)


def shuffle(pool: Pool, key: jax.Array) -> Pool:
    """The same rows in a random order, so that episodes of a mixture that run side by side are of all tasks."""
    return take(pool, jax.random.permutation(key, pool.num_rows))
