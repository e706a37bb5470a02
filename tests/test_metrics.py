"""Metrics on the disk: strict JSON, every iteration once, whatever happened to the process."""

import json
import math
import signal
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from rl_pretrain import metrics
from rl_pretrain.metrics import Metrics
from rl_pretrain.run_directory import RunError


def write(directory, iterations, resume_after=None, **values):
    with Metrics(directory, resume_after) as writer:
        for i in iterations:
            writer.write(i, {"loss": i / 2, **values})


def file_of(directory):
    return directory / "metrics.jsonl"


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def events(directory):
    """Every TensorBoard event of a run, in the order written."""
    for path in sorted((directory / "tensorboard").iterdir(), key=lambda path: path.name.rsplit(".", 1)[-1]):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("Q", data[:8])
            yield Event.FromString(data[12 : 12 + length])
            data = data[12 + length + 4 :]


def test_numbers_of_any_kind_come_back_as_written_and_the_file_is_strict_json(tmp_path):
    values = {"a": 1, "b": np.float32(0.5), "c": np.array([2.5]), "d": True, "e": 1e-30, "f": np.int64(2**40)}
    special = {"nan": float("nan"), "up": float("inf"), "down": np.float32("-inf")}
    with Metrics(tmp_path) as writer:
        row = writer.write(3, {**values, **special})
    (line,) = strict(file_of(tmp_path).read_text())
    assert (line["nan"], line["up"], line["down"]) == ("NaN", "Infinity", "-Infinity")
    (back,) = metrics.read(tmp_path)
    assert back == pytest.approx(row, nan_ok=True)
    assert {name: back[name] for name in values} == {
        name: float(np.asarray(value).item()) for name, value in values.items()
    }
    assert math.isnan(back["nan"]) and back["up"] == math.inf and back["down"] == -math.inf
    assert list(line)[:2] == ["iteration", "time"]


def test_a_line_can_be_read_as_soon_as_it_is_written(tmp_path):
    with Metrics(tmp_path) as writer:
        for i in range(3):
            writer.write(i, {"loss": 1.0})
            assert [row["iteration"] for row in metrics.read(file_of(tmp_path))] == list(range(i + 1))


def test_time_counts_up_and_goes_on_after_a_resume(tmp_path):
    file_of(tmp_path).write_text('{"iteration": 1, "time": 100.0, "loss": 1.0}\n')
    write(tmp_path, [2, 3], resume_after=1)
    times = [row["time"] for row in metrics.read(tmp_path)]
    assert times == sorted(times) and 100 <= times[-1] < 160


def test_a_resumed_run_has_every_iteration_once_and_leaves_earlier_lines_alone(tmp_path):
    write(tmp_path, range(1, 10))
    before = file_of(tmp_path).read_text().splitlines()
    write(tmp_path, range(7, 12), resume_after=6, other=1)
    after = file_of(tmp_path).read_text().splitlines()
    assert after[:6] == before[:6]
    assert [row["iteration"] for row in metrics.read(tmp_path)] == list(range(1, 12))


def test_a_run_resumed_before_its_first_checkpoint_starts_from_nothing(tmp_path):
    write(tmp_path, range(5))
    write(tmp_path, range(3))
    assert [row["iteration"] for row in metrics.read(tmp_path)] == [0, 1, 2]


@pytest.mark.parametrize(
    "tail", ['{"iteration": 4, "ti', '{"iteration": 4, "time": 1.0}', "\0\0\0\0", "{", "ü".encode()[:1]]
)
def test_a_half_written_last_line_is_left_out_and_repaired(tmp_path, tail):
    write(tmp_path, [1, 2, 3])
    with open(file_of(tmp_path), "ab") as file:
        file.write(tail if isinstance(tail, bytes) else tail.encode())
    assert [row["iteration"] for row in metrics.read(tmp_path)] == [1, 2, 3]
    write(tmp_path, [4], resume_after=3)
    assert [line["iteration"] for line in strict(file_of(tmp_path).read_text())] == [1, 2, 3, 4]


@pytest.mark.parametrize("line", ["not json", "[1, 2]", '{"loss": 1}', '{"iteration": "x", "time": 0}', "\0"])
def test_a_damaged_line_is_named(tmp_path, line):
    write(tmp_path, [1, 2])
    file_of(tmp_path).write_text(file_of(tmp_path).read_text() + line + "\n" + '{"iteration": 4, "time": 9}\n')
    with pytest.raises(RunError, match=r"metrics.jsonl, line 3") as caught:
        metrics.read(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="line 3"):
        Metrics(tmp_path, 2)


def test_metrics_that_are_not_there_are_named(tmp_path):
    with pytest.raises(RunError, match=r"cannot read .*metrics.jsonl: No such file"):
        metrics.read(tmp_path)


def test_a_killed_process_loses_no_complete_line(tmp_path):
    script = textwrap.dedent(f"""
        from rl_pretrain.metrics import Metrics
        writer = Metrics({str(tmp_path)!r})
        for i in range(10**9):
            writer.write(i, {{"loss": 1.0}})
            print(i, flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    while int(process.stdout.readline()) < 20:
        pass
    process.send_signal(signal.SIGKILL)
    written = 20 + len([line for line in process.stdout.read().splitlines() if line])
    process.wait()
    assert [row["iteration"] for row in metrics.read(tmp_path)][: written + 1] == list(range(written + 1))
    write(tmp_path, range(11, 15), resume_after=10)
    assert [row["iteration"] for row in metrics.read(tmp_path)] == list(range(15))


def test_a_full_disk_is_told_in_one_line(tmp_path):
    script = textwrap.dedent(f"""
        import resource
        from rl_pretrain.metrics import Metrics
        from rl_pretrain.run_directory import RunError
        with Metrics({str(tmp_path)!r}) as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))  # as good as a full disk
            try:
                for i in range(1000):
                    writer.write(i, {{"loss": 1.0}})
            except RunError as error:
                print(error)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    """)
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert out.stdout.strip() == f"cannot write metrics to {tmp_path}: File too large", out


def test_tensorboard_has_the_same_numbers_without_those_that_are_not_finite(tmp_path):
    with Metrics(tmp_path) as writer:
        writer.write(1, {"loss/policy": 0.5, "bad": float("nan")})
        writer.write(2, {"loss/policy": 0.25, "bad": 1.0})
    scalars = [(e.step, v.tag, v.simple_value) for e in events(tmp_path) for v in e.summary.value]
    assert scalars == [(1, "loss/policy", 0.5), (2, "loss/policy", 0.25), (2, "bad", 1.0)]


def test_tensorboard_is_told_to_hide_what_a_resume_does_again(tmp_path):
    write(tmp_path, range(1, 10))
    write(tmp_path, range(7, 9), resume_after=6)
    starts = [e.step for e in events(tmp_path) if e.session_log.status == SessionLog.START]
    assert starts == [0, 7]
    steps = [e.step for e in events(tmp_path) if e.summary.value]
    assert steps == [*range(1, 10), 7, 8]


def test_no_iteration_and_no_name_can_be_written_twice(tmp_path):
    write(tmp_path, [1, 2])
    with Metrics(tmp_path, 2) as writer:
        with pytest.raises(ValueError, match="iteration 2 come after those of iteration 2"):
            writer.write(2, {})
        with pytest.raises(ValueError, match="time"):
            writer.write(3, {"time": 1.0})
        with pytest.raises(TypeError, match="metric name must be one number"):
            writer.write(3, {"name": "text"})
        with pytest.raises(TypeError, match="metric pair must be one number"):
            writer.write(3, {"pair": np.ones(2)})
        writer.write(3, {"loss": 1.0})
    assert [row["iteration"] for row in metrics.read(tmp_path)] == [1, 2, 3]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("-inf"), np.array([1.0, np.nan])])
def test_a_loss_that_is_not_finite_is_named(bad):
    with pytest.raises(FloatingPointError, match=r"^value_loss is -?(nan|inf)$"):
        metrics.check_finite({"policy_loss": 1.0, "value_loss": bad, "later": bad})


def test_finite_metrics_pass():
    metrics.check_finite({"loss": 1.0, "games": 3, "note": "text", "array": np.ones(3)})
