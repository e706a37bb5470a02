"""What all schedules have in common: the contract that a training loop may rely on."""

from typing import Any, Protocol

import jax


class Schedule(Protocol):
    """Chooses what to train on: levels 0 … levels - 1, the easiest first.

    A schedule is a frozen dataclass of settings, and all it has learnt is in its state, a NamedTuple of arrays. Laws:

    - A state's shapes and dtypes never change, so that it can be carried by `lax.scan`, mapped by `vmap`, saved and
      loaded leaf by leaf.
    - `probabilities` are at least 0 and sum to 1, and each level of a `sample` is drawn independently by them.
    - `update` takes batches of mixed levels. Their order does not matter.
    - Nothing in the state changes by a batch without finished episodes, nor what is known of a level by a batch
      without episodes of it.

    Several tasks share one schedule by one axis: level i of task t is t · num_levels + i. Staircases must know
    (`num_tasks`), for others it is just more levels.
    """

    def init(self) -> Any:
        """The state before any episode."""
        ...

    def probabilities(self, state: Any) -> jax.Array:
        """How likely each level is: float32 `[levels]`."""
        ...

    def sample(self, state: Any, key: jax.Array, num: int) -> jax.Array:
        """Levels to begin episodes of: int32 `[num]`."""
        ...

    def update(
        self,
        state: Any,
        levels: jax.Array,
        successes: jax.Array,
        advantages: jax.Array | None = None,
        is_finished: jax.Array | None = None,
    ) -> Any:
        """The state after a batch of episodes.

        Args:
          levels: whole numbers `[n]`.
          successes: bool `[n]`, whether each episode was solved.
          advantages: float `[n]`, of each episode; one that has an advantage for each step gives the mean of their
            absolute values. Only some schedules need them.
          is_finished: bool `[n]`, which episodes to count; by default all. The others may hold anything.

        Raises:
          ValueError: shapes or dtypes differ from these, advantages are needed but not given, or a level is out of
            range and its value known. Inside jit, episodes of levels out of range are not counted.
        """
        ...
