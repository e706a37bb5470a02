"""Many games at once between two players: pairs of games with one opening and swapped colours, outside engines too.

    openings = random_openings(go, seed=0, num_openings=32)
    with ThreadPoolExecutor() as pool:
        for ended in play(go, first, second, dict(enumerate(openings)), pool):
            for pair in ended:
                print(pair.number, [game.result for game in pair.games])

The rules are those of `go` alone. An engine that dies, takes too long, or plays what these rules do not allow loses
that game; its record says why.
"""

import dataclasses
import functools
import itertools
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from go_env import sgf, text
from go_env.env import Go
from go_env.gtp_client import Client, CommandFailedError, EngineError
from go_env.sgf import Game, Result
from go_env.state import State


class Pair(NamedTuple):
    """Two finished games. The players' names are in `Game.info`, as is what went wrong, as comment `GC`."""

    number: int  # of the opening
    games: tuple[Game, Game]  # after the opening the first player moves first in the one at index 0


class Fault(NamedTuple):
    """Why a player makes no move: it loses the game."""

    how: Literal["resign", "forfeit"]
    reason: str = ""  # for the record


@dataclasses.dataclass
class Live:
    """A game being played."""

    black: str
    white: str
    actions: list[int]
    seed: int
    """For all chance in this game: from 1 to 2³¹ - 1, and the same whenever this game is played."""
    result: Result | None = None
    note: str = ""
    wires: dict[str, "Wire"] = dataclasses.field(default_factory=dict)
    """To the engines in this game, by their names."""

    @property
    def to_play(self) -> int:
        """+1 Black, -1 White."""
        return -1 if len(self.actions) % 2 else 1

    def end(self, result: Result, note: str = "") -> None:
        """Ends the game, and its engines."""
        self.result, self.note = result, note
        self.close()

    def close(self) -> None:
        """Ends the engines of this game."""
        while self.wires:
            self.wires.popitem()[1].client.close()

    def record(self, go: Go) -> Game:
        """What was played."""
        info = {"PB": self.black, "PW": self.white} | ({"GC": self.note} if self.note else {})
        return sgf.from_actions(
            self.actions, go.size, komi=go.komi, rules="Chinese", result=str(self.result or ""), info=info
        )


class Wire(NamedTuple):
    """Between a game and an engine that plays it."""

    client: Client
    told: list[int]  # the actions that the engine knows of


class Games(NamedTuple):
    """One game of each pair; in all of them it is the same player's turn."""

    lives: list[Live]  # may be fewer than the arrays have rows
    states: State  # [batch]
    legal: np.ndarray  # bool [batch, actions]


class Player(Protocol):
    """Somebody who plays."""

    @property
    def name(self) -> str: ...

    def choose(self, games: Games, pool: Executor) -> Callable[[], Sequence[int | Fault]]:
        """Begins to think about all the games. What it returns waits for the moves, one for each of `games.lives`.

        What it answers for games that are over means nothing.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Engine:
    """A program that speaks GTP. Every game has a process of its own, so that games do not depend on one another."""

    name: str
    go: Go
    start: Callable[[int], Client]
    """Starts the program, given the seed of a game."""
    version: str = ""
    """What it calls itself, such as `GNU Go 3.8`."""

    def choose(self, games: Games, pool: Executor) -> Callable[[], Sequence[int | Fault]]:
        """See Player. Thinks in the threads of the pool."""
        moves = [None if live.result else pool.submit(self.move, live) for live in games.lives]
        return lambda: [self.go.pass_action if move is None else move.result() for move in moves]

    def move(self, live: Live) -> int | Fault:
        """The engine's move in one game."""
        try:
            answer = self.ask(live).strip()
            return Fault("resign") if answer.lower() == "resign" else text.action(answer, self.go.size)
        except (EngineError, CommandFailedError, ValueError) as error:
            return Fault("forfeit", " ".join(f"{self.name}: {error}".split()))

    def ask(self, live: Live) -> str:
        """Tells the engine what it does not know of the game, and asks for a move."""
        if self.name not in live.wires:
            live.wires[self.name] = Wire(self.start(live.seed), [])
            for command in (f"boardsize {self.go.size}", "clear_board", f"komi {self.go.komi:g}"):
                live.wires[self.name].client.send(command)
        client, told = live.wires[self.name]
        for i in range(len(told), len(live.actions)):
            client.send(f"play {'bw'[i % 2]} {text.vertex(live.actions[i], self.go.size)}")
            told.append(live.actions[i])
        answer = client.send(f"genmove {'bw'[len(told) % 2]}")
        told.append(-1)  # its own move, whatever it means, it knows
        return answer


def play(
    go: Go,
    first: Player,
    second: Player,
    openings: Mapping[int, Sequence[int]],
    pool: Executor,
    batch: int | None = None,
) -> Generator[list[Pair], None, None]:
    """Plays two games from every opening; after every move gives the pairs of which both games are over by then.

    Args:
      openings: actions from the empty board, by a number that stands for the opening.
      pool: for engines to think in.
      batch: rows of the arrays, at least as many as openings. One shape for all calls saves compilations.

    At any time the first player is to move in one game of each pair and the second in the other, and both think at
    the same time. Close the generator to give up what is not over.
    """
    batch = len(openings) if batch is None else batch
    pairs = {number: _start(first.name, second.name, number, moves) for number, moves in openings.items()}
    mine, theirs = (_seat(go, [pair[game] for pair in pairs.values()], batch) for game in (0, 1))
    try:
        while pairs:
            my_moves, their_moves = first.choose(mine, pool), second.choose(theirs, pool)
            mine, theirs = _advance(go, theirs, their_moves()), _advance(go, mine, my_moves())
            ended = {number: pair for number, pair in pairs.items() if pair[0].result and pair[1].result}
            pairs = {number: pair for number, pair in pairs.items() if number not in ended}
            yield [Pair(number, (a.record(go), b.record(go))) for number, (a, b) in ended.items()]
    finally:
        for live in itertools.chain(*pairs.values()):
            live.close()


def points(game: Game, name: str) -> float:
    """What the player of this name has won: 1, ½ or 0."""
    winner = sgf.outcome(game).winner or 0
    return (1 + winner * (1 if game.info["PB"] == name else -1)) / 2


def random_openings(go: Go, seed: int, num_openings: int, num_moves: tuple[int, int] = (2, 4)) -> list[list[int]]:
    """Random openings that lead to different positions, as actions. Asking for more gives the same ones first.

    Args:
      num_moves: fewest and most. None is a pass, or on the first line of boards from 5×5 on.

    Raises ValueError where so many cannot be found.
    """
    openings: dict[bytes, list[int]] = {}  # by the position that they lead to
    block = num_fruitless = 0
    while len(openings) < num_openings:
        if num_fruitless == 4:
            raise ValueError(f"found only {len(openings)} different openings of {num_moves[0]} to {num_moves[1]} moves")
        num_before = len(openings)
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), block), 256)
        for moves, position in zip(*jax.device_get(_random_openings(go, num_moves, keys)), strict=True):
            openings.setdefault(position.tobytes(), moves[moves >= 0].tolist())
        block, num_fruitless = block + 1, num_fruitless + 1 if len(openings) == num_before else 0
    return list(openings.values())[:num_openings]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _random_openings(go: Go, num_moves: tuple[int, int], keys: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Actions int32 `[keys, most moves]`, -1 behind the last, and where they lead: int8 `[keys, points + 1]`."""
    margin = 1 if go.size >= 5 else 0
    is_inside = np.pad(np.ones((go.size - 2 * margin,) * 2, bool), margin)
    preference = jnp.where(np.append(is_inside, False), 0.0, -1e9)

    def one(key):
        length_key, key = jax.random.split(key)
        length = jax.random.randint(length_key, (), num_moves[0], num_moves[1] + 1)

        def ply(state, t):
            chances = jnp.where(go.legal_actions(state), preference, -jnp.inf)
            action = jax.random.categorical(jax.random.fold_in(key, t), chances).astype(jnp.int32)
            action = jnp.where(t < length, action, -1)
            return _step_unless_negative(go, state, action), action

        state, actions = jax.lax.scan(ply, go.init(), jnp.arange(num_moves[1]))
        return actions, jnp.append(go.stones(state), state.to_play.astype(jnp.int8))

    return jax.vmap(one)(keys)


def _start(first: str, second: str, number: int, opening: Sequence[int]) -> tuple[Live, Live]:
    """The game in which the first player moves next, and the one in which the second does."""

    def live(mover: str, other: str) -> Live:
        black, white = (other, mover) if len(opening) % 2 else (mover, other)
        seed = zlib.crc32(f"{black}\n{white}\n{number}".encode()) % (2**31 - 1) + 1  # GNU Go takes 0 for none
        return Live(black, white, list(opening), seed)

    return live(first, second), live(second, first)


def _seat(go: Go, lives: list[Live], batch: int) -> Games:
    """The games with their states after the opening."""
    actions = np.full((max(len(live.actions) for live in lives), batch), -1, np.int32)
    for i, live in enumerate(lives):
        actions[: len(live.actions), i] = live.actions
    states = jax.tree.map(lambda x: jnp.broadcast_to(x, (batch, *x.shape)), go.init())
    for at_once in [np.full(batch, -1, np.int32), *actions]:
        states, seen = _step(go, states, at_once)
    return Games(lives, states, np.asarray(seen.legal))


def _advance(go: Go, games: Games, answers: Sequence[int | Fault]) -> Games:
    """The games after one move in each of those that are not over."""
    actions = np.full(len(games.legal), -1, np.int32)
    for i, (live, answer) in enumerate(zip(games.lives, answers, strict=False)):
        if live.result is not None:
            continue
        if isinstance(answer, int) and not games.legal[i, answer]:
            name = live.black if live.to_play == 1 else live.white
            answer = Fault("forfeit", f"{name}: {text.vertex(answer, go.size)} is illegal here")
        if isinstance(answer, Fault):
            live.end(Result(-live.to_play, None, answer.how), answer.reason)
        else:
            actions[i] = answer
            live.actions.append(answer)
    states, seen = _step(go, games.states, actions)
    seen = jax.device_get(seen)
    for i, live in enumerate(games.lives):
        if live.result is None and seen.is_over[i]:
            live.end(Result(int(np.sign(seen.score[i])), float(abs(seen.score[i])), "score"))
    return Games(games.lives, states, seen.legal)


class _Seen(NamedTuple):
    """What the host has to know of states."""

    legal: jax.Array  # bool [batch, actions]
    is_over: jax.Array  # bool [batch]
    score: jax.Array  # float32 [batch]: Black's area less White's less komi


@functools.partial(jax.jit, static_argnums=0)
def _step(go: Go, states: State, actions: jax.Array) -> tuple[State, _Seen]:
    """The games after the actions `[batch]`; a negative one leaves its game as it is."""
    states = jax.vmap(functools.partial(_step_unless_negative, go))(states, actions)
    return states, _Seen(*(jax.vmap(f)(states) for f in (go.legal_actions, go.is_over, go.score)))


def _step_unless_negative(go: Go, state: State, action: jax.Array) -> State:
    after = go.step(state, jnp.maximum(action, 0))
    return jax.tree.map(lambda old, new: jnp.where(action < 0, old, new), state, after)
