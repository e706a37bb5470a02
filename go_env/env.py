"""Go as pure functions of one game: `Go` holds the rules, `State` a game; `jax.vmap` plays many at once.

Rules, version 1: Tromp-Taylor area scoring; two passes or the move limit end the game; suicide is illegal; all
stones on the board count as alive; a tie after komi is a draw; an illegal action loses at once.
"""

import dataclasses
import functools
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from go_env import bitboard, board, observation, scoring, superko
from go_env.batching import batch_last
from go_env.bitboard import Bitboard, Layout
from go_env.state import State, words

RULES_VERSION = 1
"""Goes up whenever the same actions could lead to another result."""

KoRule = Literal["positional_superko", "situational_superko", "simple"]


@dataclasses.dataclass(frozen=True)
class Go:
    """The rules of a game of Go, with the functions of the environment contract.

    Attributes:
      size: edge of the board, 2 to 19.
      komi: points added to White's area, a multiple of 0.5. Whole numbers make draws possible.
      ko: which earlier positions a move must not recreate: `positional_superko` any; `situational_superko` any with
        the same player to move; `simple` the one before the opponent's last action. Passes are always allowed.
      max_moves: actions after which the game is scored as it stands; default 2 · size².
      memory: how many plies a superko rule looks back; default all of them. A smaller number keeps states small for
        deep search trees, and the rule then forbids recreating one of the `memory` positions before the present one.
    """

    size: int = 9
    komi: float = 7.0
    ko: KoRule = "positional_superko"
    max_moves: int | None = None
    memory: int | None = None

    def __post_init__(self):
        if isinstance(self.size, bool) or not isinstance(self.size, int) or not 2 <= self.size <= 19:
            raise ValueError(f"size must be a whole number from 2 to 19, got {self.size!r}")
        if self.ko not in get_args(KoRule):
            raise ValueError(f"ko must be one of {', '.join(get_args(KoRule))}, got {self.ko!r}")
        if isinstance(self.komi, bool) or not isinstance(self.komi, (int, float)) or self.komi % 0.5 != 0:
            raise ValueError(f"komi must be a multiple of 0.5, got {self.komi!r}")
        for name in ("max_moves", "memory"):
            number = getattr(self, name)
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
                raise ValueError(f"{name} must be a whole number from 1 on, or None, got {number!r}")

    @property
    def num_points(self) -> int:
        return self.size**2

    @property
    def pass_action(self) -> int:
        """Actions 0 … size²-1 are points, row by row from the top left corner; this last one is the pass."""
        return self.num_points

    @property
    def num_actions(self) -> int:
        return self.num_points + 1

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """`[row, column, plane]`; `go_env.observation.PLANES` lists the planes."""
        return (self.size, self.size, len(observation.PLANES))

    @property
    def move_limit(self) -> int:
        return 2 * self.num_points if self.max_moves is None else self.max_moves

    @property
    def num_past_boards(self) -> int:
        """Boards kept in `State.history`: those that the ko rule asks for, and those that show the last moves."""
        asked = 1 if self.ko == "simple" else self.move_limit
        kept = asked if self.memory is None else min(asked, self.memory)
        return max(kept, observation.NUM_LAST_MOVES)

    @property
    def layout(self) -> Layout:
        return _layout(self.size)

    def init(self, key: jax.Array | None = None, komi: jax.Array | float | None = None) -> State:
        """The empty board with Black to move. The rules hold no chance: `key` is there for the contract's sake."""
        del key
        num_words = self.layout.num_words
        return State(
            stones=jnp.zeros((2, num_words), jnp.uint32),
            atari=jnp.zeros(num_words, jnp.uint32),
            legal=jnp.array(self.layout.board),
            history=jnp.zeros((self.num_past_boards, 2, num_words), jnp.uint32),
            sketch=jnp.zeros(2, jnp.uint32),
            sketches=jnp.zeros((2, 0 if self.ko == "simple" else -(-self.num_past_boards // 32) * 32), jnp.uint32),
            to_play=jnp.int32(1),
            ply=jnp.int32(0),
            passes=jnp.int32(0),
            komi=jnp.asarray(self.komi if komi is None else komi, jnp.float32),
            reward=jnp.float32(0),
            discount=jnp.float32(-1),
        )

    def from_stones(self, stones: jax.typing.ArrayLike, to_play=1, komi: jax.Array | float | None = None) -> State:
        """A game that starts from a position: handicap stones, problems, tests.

        Args:
          stones: `[size, size]`, +1 Black, -1 White, 0 empty; every chain must have a liberty.
          to_play: +1 or -1, who moves first.
          komi: points for White; default that of the rules.
        """
        colours = jnp.asarray(stones).reshape(self.num_points)
        packed = jnp.stack([self.layout.pack(colours == 1), self.layout.pack(colours == -1)])
        atari, legal = batch_last(functools.partial(_atari_and_playable, self.layout))(
            packed, jnp.asarray(to_play, jnp.int32)
        )
        start = self.init(komi=komi)
        return start._replace(
            stones=packed,
            atari=atari,
            legal=legal,
            sketch=_sketch(self, packed),
            to_play=jnp.asarray(to_play, jnp.int32),
        )

    def step(self, state: State, action: jax.Array) -> State:
        """The game after `action` (a point, or `pass_action`) of the player to move.

        A finished game stays as it is, with reward 0. An illegal action ends the game and its player loses.
        """
        action = jnp.asarray(action, jnp.int32)
        beyond = np.iinfo(np.int32).max  # an index that is not written to
        entry = jnp.where(self.is_over(state), beyond, state.ply % self.num_past_boards)
        history = state.history.at[entry].set(state.stones, mode="drop")
        sketches = state.sketches
        if self.ko != "simple":
            sketches = sketches.at[:, entry].set(state.sketch, mode="drop")
        after = batch_last(functools.partial(_advance, self))(state._replace(history=(), sketches=()), action)
        after = after._replace(history=history, sketches=sketches)
        is_over = after.discount == 0
        legal = after.legal & ~jnp.where(is_over, jnp.uint32(0), _forbidden_by_ko(self, after))
        return after._replace(legal=legal)

    def renew(self, state: State) -> State:
        """The game itself, or a new one with the same komi in its place if it is over: auto-reset for rollouts.

        Cheaper than choosing between two states: the past boards of the old game stay where they are, and no rule
        looks at them.
        """
        is_over = self.is_over(state)
        kept = {"history": (), "sketches": ()}  # no leaves: what is not chosen
        chosen = jax.tree.map(
            lambda new, old: jnp.where(is_over, new, old),
            self.init(komi=state.komi)._replace(**kept),
            state._replace(**kept),
        )
        return chosen._replace(history=state.history, sketches=state.sketches)

    def legal_actions(self, state: State) -> jax.Array:
        """bool `[num_actions]`: what the rules allow, ko rule included; all True once the game is over."""
        return jnp.concatenate([self.layout.unpack(state.legal), jnp.ones(1, bool)])

    def observe(self, state: State) -> jax.Array:
        """float32 `[size, size, planes]`, as the player to move sees it; see `go_env.observation.PLANES`."""
        return observation.observe(self, state)

    def is_over(self, state: State) -> jax.Array:
        return state.discount == 0

    def stones(self, state: State) -> jax.Array:
        """int8 `[size, size]`: +1 Black, -1 White, 0 empty."""
        return self._as_board(*state.stones)

    def area(self, state: State) -> jax.Array:
        """int8 `[size, size]`: who owns each point as the board stands: +1 Black, -1 White, 0 nobody."""
        areas = scoring.area(self.layout, words(state.stones[0]), words(state.stones[1]))
        return self._as_board(*(jnp.stack(x) for x in areas))

    def score(self, state: State) -> jax.Array:
        """Black's area less White's less komi, as the board stands: float32."""
        lead = scoring.lead(self.layout, words(state.stones[0]), words(state.stones[1]))
        return lead.astype(jnp.float32) - state.komi

    def _as_board(self, black: jax.Array, white: jax.Array) -> jax.Array:
        is_black, is_white = self.layout.unpack(black), self.layout.unpack(white)
        return (is_black.astype(jnp.int8) - is_white.astype(jnp.int8)).reshape(self.size, self.size)


@functools.cache
def _layout(size: int) -> Layout:
    return Layout(size)


# Below, arrays may have a batch axis, last.


def _advance(go: Go, state: State, action: jax.Array) -> State:
    """`Go.step` but for the history (left out of `state`) and the ko rule (not yet taken from `legal`)."""
    layout = go.layout
    was_over = state.discount == 0
    is_pass = action == go.pass_action
    point = layout.point(action)
    is_legal = is_pass | ~bitboard.is_empty(bitboard.intersection(point, _rows(state.legal)))

    is_black = state.to_play == 1
    mine, theirs = (_rows(jnp.where(is_black, *pair)) for pair in (state.stones, state.stones[::-1]))
    point = bitboard.select(is_legal & ~was_over, point, bitboard.empty_like(point))
    mine, theirs, atari = board.play(layout, mine, theirs, _rows(state.atari), point)
    playable = board.playable(layout, theirs, mine, atari)  # for the other, who is to move now
    black, white = bitboard.select(is_black, mine, theirs), bitboard.select(is_black, theirs, mine)
    stones = jnp.stack([jnp.stack(black), jnp.stack(white)])
    to_play = jnp.where(was_over, state.to_play, -state.to_play)

    ply = jnp.where(was_over, state.ply, state.ply + 1)
    passes = jnp.where(was_over, state.passes, jnp.where(is_pass, state.passes + 1, 0))
    is_scored = is_legal & ~was_over & ((passes >= 2) | (ply >= go.move_limit))
    lead = _lead_if(jnp.any(is_scored), layout, stones)
    result = jnp.sign(lead.astype(jnp.float32) - state.komi) * state.to_play.astype(jnp.float32)
    is_over = was_over | is_scored | ~is_legal
    reward = jnp.where(is_legal, jnp.where(is_scored, result, 0.0), -1.0)
    everywhere = jnp.stack([jnp.broadcast_to(w, is_over.shape) for w in layout.board])
    return State(
        stones=stones,
        atari=jnp.stack(atari),
        legal=jnp.where(is_over, everywhere, jnp.stack(playable)),
        history=(),  # pyright: ignore[reportArgumentType] (no leaf: the kernel does not see it)
        sketch=_sketch(go, stones),
        sketches=(),  # pyright: ignore[reportArgumentType]
        to_play=to_play,
        ply=ply,
        passes=passes,
        komi=state.komi,
        reward=jnp.where(was_over, 0.0, reward),
        discount=jnp.where(is_over, jnp.float32(0), jnp.float32(-1)),
    )


def _rows(packed: jax.Array) -> Bitboard:
    """`[W, ...]` → W arrays."""
    return tuple(packed)


def _atari_and_playable(layout: Layout, stones: jax.Array, to_play: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`State.atari` of a position, and the points that are legal for the player to move but for the ko rule."""
    black, white = _rows(stones[0]), _rows(stones[1])
    atari = board.in_atari(layout, black, white)
    is_black = to_play == 1
    mine, theirs = bitboard.select(is_black, black, white), bitboard.select(is_black, white, black)
    return jnp.stack(atari), jnp.stack(board.playable(layout, mine, theirs, atari))


def _lead_if(condition: jax.Array, layout: Layout, stones: jax.Array) -> jax.Array:
    """Black's lead in area for every game, or zeros where nobody needs it: most steps end no game."""
    return jax.lax.cond(
        condition,
        lambda: scoring.lead(layout, _rows(stones[0]), _rows(stones[1])),
        lambda: jnp.zeros(stones.shape[2:], jnp.int32),
    )


def _sketch(go: Go, stones: jax.Array) -> jax.Array:
    """`State.sketch`, or zeros where the ko rule has no use for it: uint32 `[2, ...]`."""
    if go.ko == "simple":
        return jnp.zeros((2, *stones.shape[2:]), jnp.uint32)
    return jnp.stack([superko.sketch(go.layout, _rows(stones[colour])) for colour in (0, 1)])


def _repeated(layout: Layout, stones, atari, to_play, past) -> jax.Array:
    """The point where a stone of the player to move would recreate the past board: uint32 `[W, ...]`."""
    is_black = to_play == 1
    mine, theirs, past_mine, past_theirs = (
        jnp.where(is_black, *pair) for pair in (stones, stones[::-1], past, past[::-1])
    )
    return superko.repeated(layout, mine, theirs, atari, past_mine, past_theirs)


# From here on, one game.


def _forbidden_by_ko(go: Go, state: State) -> jax.Array:
    """Points where a stone would recreate a position that `go.ko` protects: uint32 `[W]`."""
    test = batch_last(functools.partial(_repeated, go.layout))

    def recreates(entry: jax.Array) -> jax.Array:
        return test(state.stones, state.atari, state.to_play, state.history[entry])

    if go.ko == "simple":  # only the position before the last action
        forbidden = recreates((state.ply - 1) % go.num_past_boards)
        return jnp.where(state.ply >= 1, forbidden, jnp.uint32(0))

    def collect(carry):
        forbidden, candidates = carry
        entry, others = batch_last(superko.pop)(candidates)
        return forbidden | recreates(entry), others

    nothing = jnp.zeros(go.layout.num_words, jnp.uint32)
    candidates = superko.pack(_candidates(go, state))
    return jax.lax.while_loop(lambda carry: jnp.any(carry[1] != 0), collect, (nothing, candidates))[0]


def _candidates(go: Go, state: State) -> jax.Array:
    """Past boards that the ko rule protects and that one move may recreate, to go by the sketches: bool `[entries]`."""
    kept = go.num_past_boards
    entries = np.arange(state.sketches.shape[1], dtype=np.int32)
    behind = (state.ply - 1) % kept - entries
    age = jnp.where(behind < 0, behind + kept, behind) + 1  # actions since this board
    protected = (age <= (state.ply if go.memory is None else jnp.minimum(state.ply, go.memory))) & (entries < kept)
    if go.ko == "situational_superko":
        protected &= age % 2 == 1  # then the opponent was to move, as after the move in question
    now, past = (jnp.where(state.to_play == 1, *x) for x in (state.sketch, state.sketches))
    return protected & superko.is_one_more(now, past)
