"""A memory addressed by content: a value is stored under a key, and found by it."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.vocabulary import NUM_TOKENS, Token

KEY, WRITE, READ = range(3)


class Held(NamedTuple):
    values: jax.Array  # int8 [tokens]: what is stored under each token, PAD for nothing
    key: jax.Array  # int32: what WRITE stores under
    found: jax.Array  # int32: what the last READ found


@dataclasses.dataclass(frozen=True)
class KeyValue:
    """KEY takes the token seen as key; WRITE stores the token seen under it; READ finds what is stored under the token
    seen. Every token can be a key, so there is always room.

    It has no order and no place, so it cannot say a prompt again; and since only the token seen is looked up, what was
    found is never a key itself: `Retriever` goes along chains.
    """

    @property
    def operations(self) -> tuple[str, ...]:
        return ("KEY", "WRITE", "READ")

    @property
    def num_shown(self) -> int:
        """The key, and what was found."""
        return 2

    def empty(self) -> Held:
        return Held(jnp.zeros(NUM_TOKENS, jnp.int8), jnp.int32(Token.PAD), jnp.int32(Token.PAD))

    def load(self, tokens: jax.Array, length: jax.Array) -> Held:
        """Keys and values in turns; the last value of a key counts."""
        place = jnp.arange(len(tokens) // 2)
        keys, values = tokens[2 * place], tokens[2 * place + 1]
        is_pair = 2 * place + 1 < length

        def store(held, pair):
            key, value, is_pair = pair
            return held.at[jnp.where(is_pair, key, NUM_TOKENS)].set(value.astype(jnp.int8), mode="drop"), None

        stored, _ = jax.lax.scan(store, self.empty().values, (keys, values, is_pair))
        return self.empty()._replace(values=stored)

    def apply(self, held: Held, operation: jax.Array, token: jax.Array) -> Held:
        is_here = (jnp.arange(NUM_TOKENS) == held.key) & (operation == WRITE)
        return Held(
            values=jnp.where(is_here, token.astype(jnp.int8), held.values),
            key=jnp.where(operation == KEY, token, held.key),
            found=jnp.where(operation == READ, held.values[token].astype(jnp.int32), held.found),
        )

    def show(self, held: Held) -> jax.Array:
        return jnp.stack([held.key, held.found])

    def legal(self, held: Held) -> jax.Array:
        return jnp.stack([jnp.bool_(True), held.key != Token.PAD, jnp.bool_(True)])
