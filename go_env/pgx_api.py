"""The same Go behind pgx's API: a script written for pgx runs on it once `import pgx` reads

    from go_env import pgx_api as pgx

Observations (AlphaGo Zero's 17 planes), action numbers, the draw of who has Black, and the effect of a step on a
finished game are pgx's, so its networks and wrappers fit. What differs, and on purpose:

============== ================================================ ================================================
               pgx                                              here
============== ================================================ ================================================
superko        a repetition is legal and loses at once           never legal; with `ko="simple"` allowed
tie after komi White wins                                        a draw: both rewards are 0
illegal action played, then lost                                 not played: its player loses, the board stays
`_x`           the whole game                                    what pgx's pictures need; the game is `_game`
============== ================================================ ================================================

Needs the extra `pgx`. Importing pgx starts JAX's devices, so settle their number first.
"""

import dataclasses
import math
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

import go_env
from go_env.bitboard import Layout
from go_env.env import KoRule

try:
    import pgx
    from pgx import (
        Array,
        BaselineModelId,
        Env,
        EnvId,
        PRNGKey,
        __version__,
        api_test,
        available_envs,
        make_baseline_model,
        save_svg,
        save_svg_animation,
        set_visualization_config,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("go_env.pgx_api needs pgx: pip install 'reward-pretraining[pgx]'") from error

__all__ = [
    "Array",
    "BaselineModelId",
    "Env",
    "EnvId",
    "Go",
    "PRNGKey",
    "State",
    "__version__",
    "api_test",
    "available_envs",
    "make",
    "make_baseline_model",
    "save_svg",
    "save_svg_animation",
    "set_visualization_config",
]


def make(env_id: EnvId) -> Env:
    """Our Go for "go_9x9" and "go_19x19", with pgx's komi of 7.5; pgx's own environment for any other name."""
    sizes = {"go_9x9": 9, "go_19x19": 19}
    return Go(size=sizes[env_id]) if env_id in sizes else pgx.make(env_id)


@dataclasses.dataclass(frozen=True)
class Rules(go_env.Go):
    """Go that keeps the boards to be observed, where the ko rule alone needs fewer."""

    history_length: int = 8

    def __post_init__(self):
        super().__post_init__()
        number = self.history_length
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"history_length must be a whole number from 1 on, got {number!r}")

    @property
    def num_past_boards(self) -> int:
        return max(super().num_past_boards, self.history_length)


class Drawing(NamedTuple):
    """What pgx's pictures ask of a game."""

    board: jax.Array  # int32 [num_points]: +1 Black, -1 White, 0 empty


@flax.struct.dataclass
class State(pgx.State):
    """One game as pgx shows it. Players are numbered 0 and 1; who of them has Black is drawn by `Go.init`."""

    current_player: jax.Array  # int32 []: the player to move
    observation: jax.Array  # bool [size, size, 2 · history_length + 1]
    rewards: jax.Array  # float32 [2]: of the last step, by player
    terminated: jax.Array  # bool []
    truncated: jax.Array  # bool []: never set here; a wrapper may
    legal_action_mask: jax.Array  # bool [num_actions]: the ko rule included; all True once the game is over
    _step_count: jax.Array  # int32 []: actions taken so far
    _game: go_env.State

    @property
    def env_id(self) -> EnvId:
        return f"go_{self._size}x{self._size}"  # type: ignore[return-value]

    @property
    def _size(self) -> int:
        return math.isqrt(self.legal_action_mask.shape[-1] - 1)

    @property
    def _x(self) -> Drawing:
        return Drawing(go_env.Go(self._size).stones(self._game).ravel().astype(jnp.int32))


class Go(pgx.Env):
    """Go with pgx's methods: `init(key)`, `step(state, action, key=None)`, `observe(state)`.

    Args:
      size, komi, max_terminal_steps: as in pgx: edge of the board, points for White, actions after which the game is
        scored as it stands (default 2 · size²).
      history_length: how many boards are observed, the present one included.
      ko, memory: see `go_env.Go`. Past boards are most of a state, and a search tree holds one state for each node.
        `memory=8` makes it much smaller than pgx's; the exact rule, with all boards, smaller on 9×9 only:

        bytes of a state   pgx     exact superko  memory=8  ko="simple"
        9×9                5,718   6,981          2,005     1,749
        19×19              25,318  122,485        8,325     8,069
    """

    def __init__(
        self,
        *,
        size: int = 19,
        komi: float = 7.5,
        history_length: int = 8,
        max_terminal_steps: int | None = None,
        ko: KoRule = "positional_superko",
        memory: int | None = None,
    ):
        super().__init__()
        self.rules = Rules(
            size=size,
            komi=komi,
            ko=ko,
            max_moves=max_terminal_steps,
            memory=memory,
            history_length=history_length,
        )

    @property
    def id(self) -> EnvId:
        return f"go_{self.rules.size}x{self.rules.size}"  # type: ignore[return-value]

    @property
    def version(self) -> str:
        """Unlike any of pgx's, since the rules are."""
        return f"go_env-v{go_env.RULES_VERSION}"

    @property
    def num_players(self) -> int:
        return 2

    @property
    def num_actions(self) -> int:
        return self.rules.num_actions

    @property
    def observation_shape(self) -> tuple[int, ...]:
        return (self.rules.size, self.rules.size, 2 * self.rules.history_length + 1)

    def step(self, state: State, action: jax.Array, key: jax.Array | None = None) -> State:
        """The game after `action` of `current_player`; a finished one stays as it is, with rewards 0.

        pgx's own `step` chooses three times between whole states; `go_env.Go.step` settles all this by itself.
        """
        return self._step(state, action, key)

    def _init(self, key: jax.Array) -> State:
        game = self.rules.init()
        return State(
            current_player=jax.random.bernoulli(key).astype(jnp.int32),
            observation=jnp.zeros(self.observation_shape, bool),
            rewards=jnp.zeros(2),
            terminated=jnp.bool_(False),
            truncated=jnp.bool_(False),
            legal_action_mask=self.rules.legal_actions(game),
            _step_count=game.ply,
            _game=game,
        )

    def _step(self, state: State, action: jax.Array, key: jax.Array | None) -> State:
        del key  # Go holds no chance
        # Wrappers set these flags too, so they decide and not the game: auto_reset's new game bears the old one's.
        is_frozen = state.terminated | state.truncated
        discount = jnp.where(is_frozen, 0.0, state._game.discount)
        game = self.rules.step(state._game._replace(discount=discount), action)
        actor = state.current_player
        return State(
            current_player=jnp.where(is_frozen, actor, 1 - actor),
            observation=self._planes(game, game.to_play),
            rewards=jnp.where(jnp.arange(2) == actor, game.reward, 0.0 - game.reward),
            terminated=jnp.where(is_frozen, state.terminated, game.discount == 0),
            truncated=state.truncated,
            legal_action_mask=self.rules.legal_actions(game),
            _step_count=game.ply,
            _game=game,
        )

    def _observe(self, state: State, player_id: jax.Array) -> jax.Array:
        is_to_move = player_id == state.current_player
        return self._planes(state._game, jnp.where(is_to_move, state._game.to_play, -state._game.to_play))

    def _planes(self, game: go_env.State, colour: jax.Array) -> jax.Array:
        """bool `[size, size, planes]`: stones of `colour` and of the other now, a ply ago, ...; last, is it White?

        Boards from before the first move are empty, as all of a new game's history is.
        """
        layout = self.rules.layout
        ages = jnp.arange(1, self.rules.history_length, dtype=jnp.int32)
        past = game.history[(game.ply - ages) % self.rules.num_past_boards]  # [ages, 2, W]
        boards = jnp.concatenate([game.stones[None], past])
        boards = jnp.where(colour == 1, boards, boards[:, ::-1])
        is_white = jnp.where(colour == 1, jnp.uint32(0), jnp.array(layout.board))
        packed = jnp.concatenate([boards.reshape(-1, layout.num_words), is_white[None]])
        return _planes_last(layout, packed).reshape(self.observation_shape)


def _planes_last(layout: Layout, packed: jax.Array) -> jax.Array:
    """uint32 `[planes, W]` → bool `[num_points, planes]`.

    The words are transposed, not the points, and bits are tested where they stand, not shifted down first. XLA shifts
    by a variable number of bits with a check of its bound. Together this halves what the observation adds to a step.
    """
    masks = np.uint32(1) << np.arange(layout.points_per_word, dtype=np.uint32)
    is_set = (packed.T[:, None, :] & masks[:, None]) != 0  # [W, points of a word, planes]
    return is_set.reshape(-1, len(packed))[: layout.num_points]
