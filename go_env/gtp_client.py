"""Outside Go engines as opponents: a client for programs that speak the Go Text Protocol, such as GNU Go.

with Client(gnugo(level=1)) as black, Client(gnugo(level=10)) as white:
    game = play_game(black, white, Go(9))
print(game.result, sgf.write(game))
"""

import collections
import contextlib
import os
import queue
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO

from go_env import record, sgf, text
from go_env.env import Go
from go_env.gtp_syntax import write_score

_MAX_LINE = 4096  # characters; what is longer comes in parts
_MAX_LINES = 10_000  # of an answer, and of what nobody asked for


class EngineError(Exception):
    """The engine cannot be started, has died, or does not keep to the protocol. One line."""

    def __init__(self, text: str):
        super().__init__(_one_line(text))


class CommandFailedError(Exception):
    """The engine answered that it cannot do this; it can be asked on. One line."""

    def __init__(self, text: str):
        super().__init__(_one_line(text))


class Client:
    """An engine in a process of its own. Close it, or use it in a `with` statement.

    Args:
      command: program and arguments.
      timeout: seconds to wait for an answer. An engine that takes longer is killed.
      name: what errors call the engine; default its program.

    Raises: EngineError when it cannot be started.
    """

    def __init__(self, command: Sequence[str | os.PathLike], timeout: float = 60.0, name: str | None = None):
        words = [os.fspath(word) for word in command]
        self.name = name or os.path.basename(words[0])
        self._timeout = timeout
        self._num_sent = 0
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._complaints: collections.deque[str] = collections.deque(maxlen=5)
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise EngineError(f"cannot start {shlex.join(words)}: {error.strerror or error}") from error
        # Threads read both ends: an engine that nobody listens to would stop when a pipe is full.
        targets = (self._read_answers, self._read_complaints)
        self._readers = [threading.Thread(target=target, daemon=True) for target in targets]
        for reader in self._readers:
            reader.start()

    def send(self, command: str, timeout: float | None = None) -> str:
        """The text of the engine's answer, lines separated by `\\n`.

        Args:
          command: one line without id, such as `genmove black`.
          timeout: seconds to wait; default the client's.

        Raises:
          CommandFailedError: the engine answered with `?`.
          EngineError: it did not answer in time (it is then killed), has died, or answered something else.
        """
        if not command.strip() or not command.isprintable() or "#" in command or command.split()[0].isdecimal():
            raise ValueError(f"a command is one line without id and comment, got {command!r}")
        self._num_sent += 1
        with contextlib.suppress(OSError):  # it has died: then there is no answer either
            _open(self._process.stdin).write(f"{self._num_sent} {command}\n")
            _open(self._process.stdin).flush()
        first, *rest = self._receive(command, self._timeout if timeout is None else timeout)
        id, _, answer = first[1:].partition(" ")
        if first[0] not in "=?" or id.strip() != str(self._num_sent):
            raise self._fail(f"answered {first!r} to {command!r}")
        answer = "\n".join([answer.strip(), *rest]).strip("\n")
        if first[0] == "?":
            raise CommandFailedError(f"{self.name} failed at {command!r}: {answer}")
        return answer

    @property
    def is_running(self) -> bool:
        """False once the engine has ended or was killed."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends the engine: asks first, then insists."""
        if self.is_running:
            with contextlib.suppress(EngineError, CommandFailedError):
                self.send("quit", timeout=2.0)
        with contextlib.suppress(OSError):
            _open(self._process.stdin).close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2.0)
        self._kill()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _receive(self, command: str, timeout: float) -> list[str]:
        """Lines up to an empty one; empty ones before are skipped."""
        lines: list[str] = []
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                line = self._lines.get(timeout=max(0.0, left))
            except queue.Empty:
                line, left = "", 0.0
            if left <= 0 and line is not None:  # nothing came, or lines without end
                raise self._fail(f"gave no answer to {command!r} in {timeout:g} s and was killed")
            if line is None:
                self._lines.put(None)  # for the next to ask
                raise self._fail(f"ended before it answered {command!r}")
            if len(lines) > _MAX_LINES:
                raise self._fail(f"answered {command!r} with more than {_MAX_LINES} lines and was killed")
            if line:
                lines.append(line)
            elif lines:
                return lines

    def _fail(self, what: str) -> EngineError:
        self._kill()
        complaints = " | ".join(self._complaints)
        return EngineError(f"{self.name} {what}" + (f"; its last words: {complaints}" if complaints else ""))

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(timeout=1.0)  # a child of the engine may hold the pipes open

    def _read_answers(self) -> None:
        with _open(self._process.stdout) as stream:
            while line := stream.readline(_MAX_LINE):
                self._lines.put(line.rstrip())
                if self._lines.qsize() > _MAX_LINES:  # they would fill the memory before anybody asks
                    self._complaints.append(f"(killed: more than {_MAX_LINES} lines without being asked)")
                    self._process.kill()
                    break
        self._lines.put(None)

    def _read_complaints(self) -> None:
        with _open(self._process.stderr) as stream:
            while line := stream.readline(_MAX_LINE):
                if line.strip():
                    self._complaints.append(line.strip()[:200])


def _one_line(text: str) -> str:
    """What an engine says may hold anything, and is printed."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= 1000 else text[:1000] + "..."


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # all three are pipes
    return stream


def gnugo(level: int = 10, seed: int = 0) -> list[str]:
    """The command that starts GNU Go under the rules of `go_env`: area scoring, positional superko, no suicide.

    Raises: EngineError when it is not installed.
    """
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/games"])  # Debian's place is not in every PATH
    program = shutil.which("gnugo", path=places)
    if program is None:
        raise EngineError(
            "GNU Go is not installed: `apt install gnugo` (Debian, Ubuntu) or `brew install gnu-go` (macOS)"
        )
    rules = ["--chinese-rules", "--positional-superko", "--forbid-suicide", "--capture-all-dead"]
    return [program, "--mode", "gtp", *rules, "--level", str(level), "--seed", str(seed)]


def play_game(black: Client, white: Client, go: Go) -> sgf.Game:
    """One game between two engines, refereed by the rules of `go`, its move limit included.

    Raises: EngineError where an engine makes an illegal move or does not accept the other's.
    """
    engines = {1: black, -1: white}
    for engine in engines.values():
        for command in (f"boardsize {go.size}", "clear_board", f"komi {go.komi:g}"):
            _ask(engine, command)
    game, resigned = record.begin(go), False
    while not resigned and record.num_passes(game) < 2 and len(game.plies) < go.move_limit:
        colour = game.to_play
        name = "black" if colour == 1 else "white"
        move = _ask(engines[colour], f"genmove {name}")
        resigned = move.lower() == "resign"
        if not resigned:
            game = _played(game, engines[colour], move)
            _ask(engines[-colour], f"play {name} {move}")
    return sgf.Game(
        size=go.size,
        moves=tuple(sgf.Move(ply.colour, ply.action) for ply in game.plies),
        komi=go.komi,
        rules="Chinese",
        result=("W+Resign" if game.to_play == 1 else "B+Resign") if resigned else write_score(record.score(game)),
        info={"PB": black.name, "PW": white.name},
    )


def _ask(engine: Client, command: str) -> str:
    try:
        return engine.send(command)
    except CommandFailedError as error:
        raise EngineError(str(error)) from error


def _played(game: record.Record, engine: Client, move: str) -> record.Record:
    try:
        return record.play(game, game.to_play, text.action(move, game.go.size))
    except ValueError as error:
        raise EngineError(f"{engine.name} played {move}: {error}") from error
