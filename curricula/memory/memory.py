"""What all external memories have in common."""

from typing import Any, Protocol

import jax


class Memory(Protocol):
    """A store of tokens that is read and written by actions of its own; for one episode, pure.

    A memory is a frozen dataclass of settings; what it holds is a pytree of arrays.
    """

    @property
    def operations(self) -> tuple[str, ...]:
        """Names of the actions it adds."""
        ...

    @property
    def num_shown(self) -> int:
        """Tokens that `show` gives."""
        ...

    def empty(self) -> Any:
        """What it holds at first."""
        ...

    def load(self, tokens: jax.Array, length: jax.Array) -> Any:
        """What it holds if these tokens were put into it beforehand: int32 `[n]`, the first `length` of them."""
        ...

    def apply(self, held: Any, operation: jax.Array, token: jax.Array) -> Any:
        """What it holds after an operation (index into `operations`), with the token that is seen at the time."""
        ...

    def show(self, held: Any) -> jax.Array:
        """What can be seen of it: int32 `[num_shown]`, PAD where there is nothing."""
        ...

    def legal(self, held: Any) -> jax.Array:
        """bool `[operations]`: which of them would do something."""
        ...
