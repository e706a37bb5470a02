"""Cases of problems as arrays, for programs that run on a device."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from esolang.paper_problems import Case
from esolang.problems import coding
from esolang.problems.coding import Coding, Split


class Cases(NamedTuple):
    """N cases of each of P problems; 0 from the lengths on."""

    data: jax.Array  # uint8 [P, N, I]
    data_length: jax.Array  # int32 [P, N]
    expected: jax.Array  # uint8 [P, N, O]
    expected_length: jax.Array  # int32 [P, N]
    base: jax.Array  # int32 [P]: of `Coding`


def bank(problems: Sequence[Coding], split: Split, num: int, seed: int = 0) -> Cases:
    """`num` cases of each problem. Those that have fewer are gone through again and again.

    Raises:
      ValueError: no problem, or see `coding.cases`.
    """
    if not problems:
        raise ValueError("a bank takes at least one problem, got none")
    rows = [coding.cases(problem, split, num, seed) for problem in problems]
    filled = [[each[i % len(each)] for i in range(num)] for each in rows]
    return stack(filled, [problem.base for problem in problems])


def stack(rows: Sequence[Sequence[Case]], bases: Sequence[int]) -> Cases:
    """As many given cases of each problem."""

    def arrays(texts: list[list[bytes]]) -> tuple[jax.Array, jax.Array]:
        room = max(1, max(len(text) for row in texts for text in row))
        padded = b"".join(text.ljust(room, b"\0") for row in texts for text in row)
        lengths = np.array([[len(text) for text in row] for row in texts], np.int32)
        return jnp.asarray(np.frombuffer(padded, np.uint8).reshape(*lengths.shape, room)), jnp.asarray(lengths)

    data, data_length = arrays([[case.data for case in row] for row in rows])
    expected, expected_length = arrays([[case.expected for case in row] for row in rows])
    return Cases(data, data_length, expected, expected_length, jnp.asarray(np.array(bases, np.int32)))


def draw(bank: Cases, key: jax.Array, num: int) -> Cases:
    """`num` cases of each problem, drawn from a bank without replacement.

    Raises:
      ValueError: the bank has fewer.
    """
    num_problems, size = bank.data_length.shape
    if not 1 <= num <= size:
        raise ValueError(f"num must be from 1 to the {size} cases of the bank, got {num}")
    keys = jax.random.split(key, num_problems)
    chosen = jax.vmap(lambda key: jax.random.permutation(key, size)[:num])(keys)
    rows = jnp.arange(num_problems)[:, None]
    return Cases(*(each[rows, chosen] for each in bank[:-1]), base=bank.base)
