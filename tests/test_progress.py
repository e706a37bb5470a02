"""The display: true numbers in any terminal or none, and a terminal as it was when the run ends."""

import contextlib
import io
import os
import pty
import subprocess
import sys
import textwrap
import time

import pytest
from rich.console import Console

from rl_pretrain.progress import ASCII_LEVELS, LEVELS, Clock, Progress, duration, number, sparkline


class Recorder(io.StringIO):
    """Text written, with the number of lines that were complete at each flush."""

    def __init__(self):
        super().__init__()
        self.flushed = []

    def flush(self):
        self.flushed.append(self.getvalue().count("\n"))


def terminal(width=110, encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    return Console(file=file, force_terminal=True, width=width, height=40, color_system=None), file


def shown(file):
    file.flush()
    return file.buffer.getvalue().decode(file.encoding)


def last_frame(text):
    return text[text.rindex("go_9x9") :]


def test_a_rising_history_is_a_rising_curve():
    assert sparkline(range(8)) == LEVELS
    assert sparkline([7, 0]) == LEVELS[-1] + LEVELS[0]


def test_a_long_history_is_averaged_to_the_width_without_losing_its_ends():
    assert sparkline([0.0] * 500 + [1.0] * 500, width=4) == LEVELS[0] * 2 + LEVELS[-1] * 2
    for length in range(1, 70):
        assert len(sparkline(list(range(length)), width=30)) == min(length, 30)


def test_curves_survive_constants_gaps_and_nothing():
    assert len(set(sparkline([3.0] * 5))) == 1
    assert sparkline([0.0, float("nan"), 1.0, float("inf")]) == LEVELS[0] + " " + LEVELS[-1] + " "
    assert sparkline([]) == ""
    assert sparkline([float("nan")] * 3) == "   "


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234567, "1,234,567"), (5321.7, "5,322"), (2.30459, "2.305"), (2e-5, "2e-05"), (float("nan"), "nan"), ("x", "x")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_time_left_is_that_of_the_latest_iterations_without_the_one_that_compiled():
    now = 0.0
    clock = Clock(start=10, now=lambda: now)
    assert clock.left(100) is None
    now = 60.0
    clock.tick(11)
    assert clock.left(100) == pytest.approx(89 * 60)  # all that is known
    for iteration in range(12, 50):
        now += 2.0
        clock.tick(iteration)
        assert clock.left(100) == pytest.approx((100 - iteration) * 2)
    now += 1.0
    assert clock.left(100) == pytest.approx(51 * 2 - 1)
    now += 1000.0
    assert clock.left(100) == 0
    assert clock.elapsed == now
    for iteration in range(50, 80):  # ten times slower from here on
        now += 20.0
        clock.tick(iteration)
    assert clock.left(100) == pytest.approx(21 * 20)
    assert duration(3723.4) == "1:02:03"


def test_without_a_terminal_each_iteration_is_one_flushed_line():
    file = Recorder()
    with Progress(
        "go_9x9", 3, facts={"devices": "1 CPU device"}, brief=["loss"], console=Console(file=file)
    ) as progress:
        for i in (1, 2, 3):
            progress.update(i, {"loss": 1 / i, "other": 5, "loss_low": 0.1, "loss_high": 2.0})
            assert file.flushed[-1] == i + 1
        progress.doing("nothing to see")
        progress.say("saved [checkpoint] 3")
    lines = file.getvalue().splitlines()
    assert "go_9x9" in lines[0] and "1 CPU device" in lines[0]
    assert lines[2].startswith("iteration 2/3  loss 0.5 (0.1 to 2)  elapsed ")
    assert lines[-1] == "saved [checkpoint] 3"
    assert len(lines) == 5
    assert "\x1b" not in file.getvalue() and "other" not in file.getvalue()


def test_the_live_display_has_every_number_its_interval_and_its_curve():
    console, file = terminal()
    past = [{"iteration": 1, "time": 2.0, "strength": 0.0}]
    with Progress(
        "go_9x9", 10, start=1, facts={"run": "runs/x"}, history=["strength"], past=past, console=console
    ) as p:
        p.update(2, {"moves_per_second": 5321.7, "strength": 0.25, "strength_low": 0.2, "strength_high": 0.4})
        p.update(3, {"strength": 0.5, "strength_low": 0.4, "strength_high": 0.6})
    frame = last_frame(shown(file))
    assert "iteration 3 of 10" in frame and "runs/x" in frame
    assert "0.5 (0.4 to 0.6)" in frame
    assert LEVELS[0] + LEVELS[4] + LEVELS[-1] in frame
    assert "moves per second" in frame and "5,322" in frame  # the last one known
    assert "strength low" not in frame and "iteration 1" not in frame.replace("iteration 3 of 10", "")


def test_messages_stay_above_the_live_display_and_markup_in_them_is_text():
    console, file = terminal()
    with Progress("go_9x9", 10, console=console) as progress:
        progress.say("saved [bold]checkpoint[/bold] 40")
    text = shown(file)
    assert text.index("saved [bold]checkpoint[/bold] 40") < text.rindex("go_9x9")


def test_runs_at_the_same_time_share_the_display_whichever_ends_first():
    console, file = terminal()
    first, second = (Progress(name, 10, console=console) for name in ("first", "second"))
    with contextlib.ExitStack() as others:
        with first:
            others.enter_context(second)
            first.update(9, {})
            second.update(1, {})
        with Progress("third", 10, console=console) as third:
            third.update(7, {})
            second.update(8, {})
            time.sleep(0.6)  # two refreshes
            during = shown(file)
    assert "iteration 8 of 10" in during and "iteration 7 of 10" in during, "what began later is live, too"
    text = shown(file)
    ends = [text.rindex(f"iteration {i} of 10") for i in (9, 7, 8)]  # in the order in which they ended
    assert ends == sorted(ends)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, "the cursor goes and comes back once"


def test_a_notice_and_the_activity_show_while_they_last():
    console, file = terminal()
    notice = ""
    with Progress("go_9x9", 10, notice=lambda: notice, console=console) as progress:
        progress.doing("self-play")
        notice = "SIGINT: stopping"
        time.sleep(0.7)  # the display looks about four times a second
        assert "self-play" in shown(file) and "SIGINT: stopping" in shown(file)
        notice = ""
    assert "self-play" not in last_frame(shown(file)) and "SIGINT" not in last_frame(shown(file))


@pytest.mark.parametrize("width", [30, 60, 89, 90, 200])
def test_lines_fit_terminals_of_any_width(width):
    console, file = terminal(width=width)
    with Progress("go_9x9", 10, facts={"run": "r" * 50}, history=["loss"], console=console) as progress:
        progress.update(1, {"loss": 0.5, **{f"metric_{i}": i for i in range(5)}})
    frame = last_frame(shown(file)).split("\x1b[?25h")[0]
    assert all(len(line) <= width for line in frame.splitlines())


@pytest.mark.parametrize("is_live", [True, False])
def test_a_terminal_that_knows_only_ascii_gets_ascii(is_live):
    console, file = terminal(encoding="ascii")
    if not is_live:
        console = Console(file=file, force_terminal=False)
    with Progress("go_9x9", 10, facts={"devices": "2 × NVIDIA"}, history=["loss"], console=console) as progress:
        progress.update(1, {"loss": 0.5})
        progress.update(2, {"loss": 1.5})
        progress.doing("évaluation")
        progress.say("Größe ±3")
    text = shown(file)
    assert "2 ? NVIDIA" in text and "Gr??e" in text
    if is_live:
        assert ASCII_LEVELS[0] + ASCII_LEVELS[-1] in text


def test_an_exception_leaves_a_usable_terminal_and_its_traceback():
    script = textwrap.dedent("""
        from rl_pretrain.progress import Progress
        with Progress("go_9x9", 5) as progress:
            progress.update(1, {"loss": 1.0})
            print("printed meanwhile")
            raise RuntimeError("the reason")
    """)
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    output = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how a pseudo-terminal ends
            break
        if not chunk:
            break
        output += chunk
    assert process.wait(timeout=60) == 1
    hide, show = b"\x1b[?25l", b"\x1b[?25h"
    assert hide in output, "the live display never started"
    assert output.rindex(show) > output.rindex(hide)
    assert output.rindex(b"RuntimeError: the reason") > output.rindex(show)
    assert b"printed meanwhile" in output
