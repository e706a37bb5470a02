"""Whole numbers as digit tokens, the least significant digit first, and pieces of prompts put together."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from curricula.vocabulary import FIRST_DIGIT, Token

Piece = tuple[jax.Array, jax.Array | int]
"""Tokens `[room]` and how many of them count; the others are without meaning."""


def token(number: jax.Array | int) -> Piece:
    """A piece of one token."""
    return jnp.full(1, number), 1


def numeral(digits: jax.Array) -> Piece:
    """The number with these digits in base 10, `[room]`, the least significant first: without zeros in front, but with
    one digit at least."""
    place = jnp.arange(len(digits))
    return FIRST_DIGIT + digits, 1 + jnp.max(jnp.where(digits > 0, place, 0))


def digits(number: jax.Array | int, room: int) -> jax.Array:
    """The last `room` digits of a number, the least significant first: int32 `[room]`."""
    return jnp.asarray(number, jnp.int32) // jnp.array([10**i for i in range(room)], jnp.int32) % 10


def carry(columns: jax.Array) -> jax.Array:
    """The digits of Σ columns[i] · 10 ** i, as many as there are columns."""

    def step(carried, column):
        total = column + carried
        return total // 10, total % 10

    return jax.lax.scan(step, jnp.int32(0), columns)[1]


def join(pieces: Sequence[Piece]) -> Piece:
    """The pieces one after another, with PAD at the end: the room of all together, the length of all together."""
    room = sum(len(tokens) for tokens, _ in pieces)
    joined, start = jnp.full(room, Token.PAD, jnp.int32), jnp.int32(0)
    for tokens, length in pieces:
        place = jnp.arange(len(tokens))
        joined = joined.at[jnp.where(place < length, start + place, room)].set(tokens, mode="drop")
        start = start + length
    return joined, start
