"""Go Text Protocol, version 2: an engine around any brain, for GUIs, servers and other programs to talk to.

    session = Session(brain)
    "".join(session.reply("1 boardsize 5"))  # "=1\\n\\n"
    serve(session, open(0, "rb", buffering=0), open(1, "wb", buffering=0))

The brain is a function; everything else that the protocol asks for is here. What the specification leaves open:

- A side that moves twice in a row is allowed to; the other is taken to have passed in between.
- After two passes the game can go on; the next two passes end it again.
- Repetitions are judged by the whole game under the ko rule of `Go`. There is no move limit.
- All stones on the board are alive: `final_score` and `final_status_list` answer so at any time.
- `kgs-genmove_cleanup` passes only where that wins, or where nothing else can be played.
- `time_settings` and `time_left` are accepted and change nothing.
- `place_free_handicap` places the fixed pattern of as many stones as there is one for.
- `boardsize` clears the board. Numbers of arguments are strict: one too many is a syntax error.

`lz-analyze` and `kata-analyze` send lines until the next command comes, as Leela Zero and KataGo do; of the options
`interval`, `minmoves` and `maxmoves` count, those that ask KataGo for more are skipped. A `Brain` knows no score,
so `kata-analyze` sends none.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np

from go_env import gtp_syntax, record, text
from go_env.env import Go
from go_env.gtp_syntax import (
    AnalysisOptions,
    CommandError,
    Request,
    parse,
    read_analysis_options,
    read_colour,
    read_integer,
    read_number,
)
from go_env.record import IllegalMoveError, Record
from go_env.state import State

COMMANDS = (
    "protocol_version",
    "name",
    "version",
    "known_command",
    "list_commands",
    "quit",
    "boardsize",
    "clear_board",
    "komi",
    "fixed_handicap",
    "place_free_handicap",
    "set_free_handicap",
    "play",
    "genmove",
    "reg_genmove",
    "kgs-genmove_cleanup",
    "undo",
    "final_score",
    "final_status_list",
    "showboard",
    "time_settings",
    "time_left",
    "lz-analyze",
    "lz-genmove_analyze",
    "kata-analyze",
    "kata-genmove_analyze",
)

EFFORTS = (1 / 8, 1 / 4, 1 / 2, 1.0)
"""Shares of a full search that an analysis goes through, so that there is something to see soon."""

_MAX_LINE = 2**16
_LONGEST_WAIT = 3600.0


class Candidate(NamedTuple):
    """A move that a brain has thought of."""

    action: int
    visits: int = 0  # how often it was tried
    winrate: float = 0.5  # of the player to move, from 0 to 1
    prior: float = 0.0  # what it looked like at first sight, from 0 to 1
    variation: tuple[int, ...] = ()  # the expected line of play, this move first


class Brain(Protocol):
    """Chooses moves."""

    def __call__(self, go: Go, state: State, effort: float) -> Sequence[Candidate]:
        """All legal moves: the one to play, then others that were tried, then the rest.

        Args:
          state: a game that is not over. It may know less of the game than the session: see `go_env.record.state`.
          effort: how hard to think, above 0 and up to 1. Moves are played with 1.
        """
        ...


def _is_interrupted_at_once(seconds: float) -> bool:
    return True


class Session:
    """A conversation with one controller.

    Args:
      brain: chooses the moves.
      rules: from the size of a board to its rules; sizes for which it raises ValueError are unacceptable.
      size, komi: what a controller finds that does not set them. Komi may be any number afterwards.
      name, version: what the engine says it is.
      resign_below: winning rate, from 0 to 1, below which `genmove` resigns; 0 never does.
    """

    def __init__(
        self,
        brain: Brain,
        rules: Callable[[int], Go] = Go,
        size: int = 9,
        komi: float = 7.0,
        name: str = "go_env",
        version: str = "",
        resign_below: float = 0.0,
    ):
        self.record: Record = record.begin(rules(size), komi)
        self.has_quit = False
        self._brain = brain
        self._rules = rules
        self._name = name
        self._version = version
        self._resign_below = resign_below

    def reply(self, line: str, is_interrupted: Callable[[float], bool] = _is_interrupted_at_once) -> Iterator[str]:
        """The pieces of the answer to a line, each to be sent at once; none to an empty line or a comment.

        Args:
          is_interrupted: waits so many seconds for another line to come and says whether one has. Analysis goes on
            until then; by default it ends after its first line.
        """
        request = parse(line)
        if request is None:
            return
        try:
            answer = self._answer(request, is_interrupted)
        except CommandError as error:
            yield f"?{request.id} {error}\n\n"
            return
        if isinstance(answer, str):
            yield f"={request.id} {answer}".rstrip(" ") + "\n\n"
        else:
            yield f"={request.id}\n"
            yield from (part + "\n" for part in answer)
            yield "\n"

    def _answer(self, request: Request, is_interrupted: Callable[[float], bool]) -> str | Iterator[str]:
        match [request.name, *request.arguments]:
            case ["protocol_version"]:
                return "2"
            case ["name"]:
                return self._name
            case ["version"]:
                return self._version
            case ["known_command", name]:
                return "true" if name in COMMANDS else "false"
            case ["list_commands"]:
                return "\n".join(COMMANDS)
            case ["quit"]:
                self.has_quit = True
                return ""
            case ["boardsize", size]:
                return self._set_size(read_integer(size))
            case ["clear_board"]:
                self.record = record.begin(self._go, self.record.komi)
                return ""
            case ["komi", komi]:
                self.record = self.record._replace(komi=read_number(komi))
                return ""
            case ["fixed_handicap", stones]:
                return self._place_pattern(read_integer(stones), read_integer(stones))
            case ["place_free_handicap", stones]:
                return self._place_pattern(2, read_integer(stones))
            case ["set_free_handicap", *vertices]:
                return self._set_handicap(vertices)
            case ["play", colour, vertex]:
                return self._play(read_colour(colour), self._action(vertex))
            case ["genmove", colour]:
                return self._generate(read_colour(colour))
            case ["reg_genmove", colour]:
                return self._advise(read_colour(colour))
            case ["kgs-genmove_cleanup", colour]:
                return self._clean_up(read_colour(colour))
            case ["undo"]:
                return self._undo()
            case ["final_score"]:
                return gtp_syntax.write_score(record.score(self.record))
            case ["final_status_list", status]:
                return self._list_stones(status)
            case ["showboard"]:
                return self._show()
            case ["time_settings", main_time, period, stones]:
                return self._note(read_integer(main_time), read_integer(period), read_integer(stones))
            case ["time_left", colour, seconds, stones]:
                return self._note(read_colour(colour), read_integer(seconds), read_integer(stones))
            case ["lz-analyze" | "kata-analyze" as name, *arguments]:
                return self._analyze(name, read_analysis_options(arguments), is_interrupted)
            case ["lz-genmove_analyze" | "kata-genmove_analyze" as name, *arguments]:
                return self._generate_and_tell(name, read_analysis_options(arguments))
            case [name, *_] if name in COMMANDS:
                raise CommandError("syntax error")
        raise CommandError("unknown command")

    @property
    def _go(self) -> Go:
        return self.record.go

    def _action(self, vertex: str) -> int:
        try:
            return text.action(vertex, self._go.size)
        except ValueError:
            raise CommandError("syntax error") from None

    def _vertex(self, action: int) -> str:
        return text.vertex(action, self._go.size)

    def _set_size(self, size: int) -> str:
        try:
            go = self._rules(size)
        except ValueError:
            raise CommandError("unacceptable size") from None
        self.record = record.begin(go, self.record.komi)
        return ""

    def _place_pattern(self, least: int, most: int) -> str:
        """The largest fixed handicap of `least` to `most` stones."""
        patterns = gtp_syntax.fixed_handicaps(self._go.size)
        numbers = [number for number in patterns if least <= number <= most]
        if not numbers:
            raise CommandError("invalid number of stones")
        vertices = patterns[max(numbers)]
        self._set_handicap(vertices)
        return " ".join(vertices)

    def _set_handicap(self, vertices: Sequence[str]) -> str:
        stones = tuple(self._action(vertex) for vertex in vertices)
        if np.any(self.record.board):
            raise CommandError("board not empty")
        is_set = len(set(stones)) == len(stones) and self._go.pass_action not in stones
        if not is_set or not 2 <= len(stones) < self._go.num_points:
            raise CommandError("bad vertex list")
        self.record = record.begin(self._go, self.record.komi, stones)
        return ""

    def _play(self, colour: int, action: int) -> str:
        try:
            self.record = record.play(self.record, colour, action)
        except IllegalMoveError:
            raise CommandError("illegal move") from None
        return ""

    def _undo(self) -> str:
        if not self.record.plies:
            raise CommandError("cannot undo")
        self.record = record.undo(self.record)
        return ""

    def _think(self, colour: int, effort: float = 1.0) -> Sequence[Candidate]:
        return self._brain(self._go, record.state(record.pass_to(self.record, colour)), effort)

    def _best(self, colour: int, candidates: Sequence[Candidate]) -> Candidate:
        """The first that the whole game allows, of which the brain may know a part; a pass where none is left."""
        for candidate in candidates:
            with contextlib.suppress(IllegalMoveError):
                record.play(self.record, colour, candidate.action)
                return candidate
        return Candidate(self._go.pass_action)

    def _name_of(self, candidate: Candidate) -> str:
        return "resign" if candidate.winrate < self._resign_below else self._vertex(candidate.action)

    def _advise(self, colour: int) -> str:
        return self._name_of(self._best(colour, self._think(colour)))

    def _generate(self, colour: int) -> str:
        return self._play_best(colour, self._think(colour))

    def _play_best(self, colour: int, candidates: Sequence[Candidate]) -> str:
        best = self._best(colour, candidates)
        answer = self._name_of(best)
        if answer != "resign":
            self._play(colour, best.action)
        return answer

    def _clean_up(self, colour: int) -> str:
        candidates = self._think(colour)
        best = self._best(colour, candidates)
        if best.action == self._go.pass_action and colour * record.score(self.record) <= 0:
            best = self._best(colour, [c for c in candidates if c.action != self._go.pass_action])
        self._play(colour, best.action)
        return self._vertex(best.action)

    def _analyze(self, name: str, options: AnalysisOptions, is_interrupted: Callable[[float], bool]) -> Iterator[str]:
        for effort in EFFORTS:
            candidates = self._think(options.colour or self.record.to_play, effort)
            yield self._info(name, options, candidates)
            if is_interrupted(options.interval):
                return
        while not is_interrupted(_LONGEST_WAIT):
            pass

    def _generate_and_tell(self, name: str, options: AnalysisOptions) -> Iterator[str]:
        colour = options.colour or self.record.to_play
        candidates = self._think(colour)
        yield self._info(name, options, candidates)
        yield f"play {self._play_best(colour, candidates)}"

    def _info(self, name: str, options: AnalysisOptions, candidates: Sequence[Candidate]) -> str:
        """One line about the candidates that were tried, in the words of Leela Zero or of KataGo."""
        num_tried = sum(candidate.visits > 0 for candidate in candidates)
        number = min(max(num_tried, options.min_moves), options.max_moves)
        write = self._lz_info if name.startswith("lz") else self._kata_info
        return " ".join(
            f"{write(candidate)} order {order} pv {self._line(candidate)}"
            for order, candidate in enumerate(candidates[:number])
        )

    def _lz_info(self, candidate: Candidate) -> str:
        winrate, prior = round(10000 * candidate.winrate), round(10000 * candidate.prior)
        return f"info move {self._vertex(candidate.action)} visits {candidate.visits} winrate {winrate} prior {prior}"

    def _kata_info(self, candidate: Candidate) -> str:
        utility = 2 * candidate.winrate - 1
        return (
            f"info move {self._vertex(candidate.action)} visits {candidate.visits} utility {utility:.6f} "
            f"winrate {candidate.winrate:.6f} prior {candidate.prior:.6f}"
        )

    def _line(self, candidate: Candidate) -> str:
        return " ".join(map(self._vertex, candidate.variation or (candidate.action,)))

    def _note(self, *times: int) -> str:
        """The clock changes nothing."""
        del times
        return ""

    def _list_stones(self, status: str) -> str:
        if status not in ("alive", "dead", "seki"):
            raise CommandError("syntax error")
        stones = np.flatnonzero(self.record.board) if status == "alive" else ()
        return " ".join(self._vertex(int(point)) for point in stones)

    def _show(self) -> str:
        last_action = self.record.plies[-1].action if self.record.plies else None
        player = "X" if self.record.to_play == 1 else "O"
        return f"\n{text.to_text(self.record.board, last_action)}\n{player} to play, komi {self.record.komi:g}"


def serve(session: Session, source: BinaryIO, sink: BinaryIO) -> None:
    """Answers line by line until `quit`, or until one of the two ends is closed.

    Args:
      source: unbuffered, so that a read gives what is there.
    """
    inbox = _Inbox(source)
    while not session.has_quit and (line := inbox.take()) is not None:
        try:
            for piece in session.reply(line, inbox.wait):
                sink.write(piece.encode("ascii", "replace"))
                sink.flush()
        except BrokenPipeError:
            return


class _Inbox:
    """Lines from a stream. A thread reads them, so that one can ask whether there is another."""

    def __init__(self, source: BinaryIO):
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._ahead: list[str | None] = []  # a line that `wait` has seen
        threading.Thread(target=self._read, args=(source,), daemon=True).start()

    def take(self) -> str | None:
        """The next line when there is one; None at the end."""
        return self._ahead.pop() if self._ahead else self._lines.get()

    def wait(self, seconds: float) -> bool:
        """Waits so long for a line, or the end, and says whether it has come."""
        if not self._ahead:
            with contextlib.suppress(queue.Empty):
                self._ahead.append(self._lines.get(timeout=seconds))
        return bool(self._ahead)

    def _read(self, source: BinaryIO) -> None:
        rest = b""
        with contextlib.suppress(OSError, ValueError):  # closed before the end, after `quit`
            while data := source.read(_MAX_LINE):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._lines.put(line[:_MAX_LINE].decode("latin-1"))
                rest = rest[:_MAX_LINE]  # no command is that long: what is left of it fails, or is a comment
        if rest:
            self._lines.put(rest.decode("latin-1"))
        self._lines.put(None)
