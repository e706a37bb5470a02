"""Accidents, made on purpose. What was reported as saved comes back bit for bit, and one clear line says what happened.

"Reported as saved" means that `Run.wait` or `Run.close` has returned, or the next `save`, which waits for the last one.

Tested elsewhere, and not again here:

- a kill between iterations, and the run after it equal to one never stopped: test_experiments.py, test_loop.py;
- damage to every file of a checkpoint in turn, and to every bit of its description, a named step that is damaged, none
  that can be read, a disk that is full for files above a size: test_checkpoint.py, test_metrics.py;
- files missing from a run directory, half a line of metrics, a claim that a kill cut short: test_run_directory.py,
  test_metrics.py;
- NaN in a metric of the loop: test_loop.py, test_metrics.py;
- an engine that is silent, dies, does not quit or talks nonsense: test_go_gtp_client.py; what it costs in a match:
  test_go_match.py;
- a replay that is full and wraps: test_replay.py;
- samples of language models after a kill: test_esolang_llm.py.
"""

import asyncio
import contextlib
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from go_env.gtp_client import Client, EngineError
from rl_pretrain import checkpoint, checkpoint_file, learner, loop, metrics
from rl_pretrain.checkpoint import RunError
from rl_pretrain.interrupt import Stop


def make_tree(step: int) -> dict[str, Any]:
    """What a run may hold, another one for each step; the first array does not compress."""
    chance = np.random.default_rng(step)
    return {
        "weights": chance.standard_normal(3000).astype(np.float32),
        "half": jnp.asarray(chance.standard_normal((7, 5)), jnp.bfloat16),
        "key": jax.random.key(step),
        "num_updates": jnp.int32(step),
        "ring": np.zeros((50, 40), np.int8),
        "nothing": np.zeros((0, 2)),
    }


def bits(tree: Any) -> list[tuple]:
    leaves = [
        jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in jax.tree.leaves(tree)
    ]
    return [(x.dtype, x.shape, np.asarray(x).tobytes()) for x in leaves]


def restored(directory: Path) -> int:
    """The step that a run goes on from, after its state was compared bit for bit."""
    with checkpoint.open_run(directory, {}, {}, resume=True) as run:
        step, tree, meta = checkpoint.restore(run, make_tree(0))
    assert bits(tree) == bits(make_tree(step)) and meta == {"step": step}
    return step


def make_run(directory: Path, steps=(1, 2)) -> Path:
    with checkpoint.open_run(directory, {}, {}) as run:
        for step in steps:
            checkpoint.save(run, step, make_tree(step), {"step": step})
    return directory


# Kills


SAVER = """
import os, sys, time
sys.path[:0] = [{tests!r}]
from pathlib import Path
from test_faults import make_tree
from rl_pretrain import checkpoint

def save_for_ever():  # JAX starts here, in a process of its own
    with checkpoint.open_run({directory!r}, {{}}, {{}}, resume=Path({directory!r}, "config.json").exists()) as run:
        step = run.latest_step or 0
        while True:
            step += 1
            tree = make_tree(step)
            print("saving", step, flush=True)
            checkpoint.save(run, step, tree, {{"step": step}})
            run.wait()
            print("saved", step, flush=True)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        save_for_ever()
    print("process", child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kills_at_any_moment_of_a_save_lose_nothing_that_was_saved(tmp_path):
    """The savers are children of one process that has imported all and begun nothing, so that each starts at once."""
    num_kills, chance, seconds = int(os.environ.get("FAULTS_KILLS", "60")), random.Random(0), 0.0
    script = SAVER.format(tests=str(Path(__file__).parent), directory=str(tmp_path / "run"))
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None and parent.stdout is not None
    saved, num_during = 0, 0
    for i in range(num_kills):
        parent.stdin.write("go\n")
        parent.stdin.flush()
        words = [parent.stdout.readline().split() for _ in range(2)]  # in either order
        child = next(int(word[1]) for word in words if word[0] == "process")
        while not any(word[0] == "saving" for word in words):
            words.append(parent.stdout.readline().split())
        if i == 0:  # some saves first, to see how long they take
            started = time.monotonic()
            while saved < 5:
                kind, step = parent.stdout.readline().split()
                saved = int(step) if kind == "saved" else saved
            seconds = (time.monotonic() - started) / 5
        time.sleep(chance.uniform(0, 2 * seconds))
        os.kill(child, signal.SIGKILL)
        told = [line.split() for line in iter(parent.stdout.readline, "ended\n")]
        saved = max([saved, *(int(word[1]) for word in told if word[0] == "saved")])
        num_during += (told or words)[-1][0] == "saving"
        step = restored(tmp_path / "run")
        assert step >= saved, f"kill {i}: {saved} was reported as saved, {step} is there"
        saved = step
    parent.stdin.close()
    parent.wait()
    assert not (tmp_path / "run/set_aside").exists(), "half a checkpoint looked like one"
    assert num_during > num_kills / 4, "the kills came between the saves"
    print(f"{num_kills} kills, {num_during} of them during a save of {seconds:.2f} s; {saved} checkpoints")


# A full disk


ON_A_SMALL_DISK = """
import os, random, sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from test_faults import bits, make_tree
from rl_pretrain import checkpoint, json_file
from rl_pretrain.metrics import Metrics, read
from rl_pretrain.run_directory import RunError

disk, chance = Path({disk!r}), random.Random(0)
run_directory, filler = disk / "run", disk / "filler"
num_failed = last = 0
with checkpoint.open_run(run_directory, {{}}, {{}}) as run:
    for i in range({num}):
        space = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        left = 0 if i % 4 == 3 else chance.randrange(60_000)
        filler.write_bytes(bytes(max(0, space - left)) if i else b"")
        step = last + 1
        try:
            checkpoint.save(run, step, make_tree(step), {{"step": step}})
            run.wait()
            last = step
        except RunError as error:
            assert "No space left on device; the earlier ones are intact" in str(error), error
            assert str(error).isprintable()
            num_failed += 1
        assert run.latest_step == last
        loaded = checkpoint.load(run_directory)
        assert loaded.step == last and loaded.meta == {{"step": last}}, "what was reported as saved is there"
        assert loaded.arrays["weights"].tobytes() == make_tree(last)["weights"].tobytes()
        config = (run_directory / "config.json").read_bytes()
        try:
            json_file.replace(run_directory / "config.json", " " * 200_000)
            json_file.replace(run_directory / "config.json", config.decode())
        except OSError:
            assert (run_directory / "config.json").read_bytes() == config, "the old file or the new one"
        assert not list(run_directory.glob("*.tmp"))
        filler.unlink()
print("checkpoints", num_failed, last)

filler.write_bytes(bytes(max(0, os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 9_000)))
written = []
try:
    with Metrics(run_directory) as writer:
        for i in range(10_000):
            writer.write(i, {{"loss": 1.0}})
            written.append(i)
except RunError as error:  # and no other error comes out of closing the file
    print("metrics", len(written) > 0, error)
filler.write_bytes(bytes(filler.stat().st_size + os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
try:
    Metrics(run_directory, written[-1])
except RunError as error:
    print("resumed", error)
filler.unlink()
assert [row["iteration"] for row in read(run_directory)][: len(written)] == written
with Metrics(run_directory, written[-1]) as writer:
    writer.write(written[-1] + 1, {{"loss": 2.0}})
assert [row["iteration"] for row in read(run_directory)] == [*written, written[-1] + 1]
with checkpoint.open_run(run_directory, {{}}, {{}}, resume=True) as run:
    restored = checkpoint.restore(run, make_tree(0))
    assert bits(restored.tree) == bits(make_tree(restored.step)) and restored.step == last
print("done")
"""


@pytest.mark.parametrize("num", [8, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_a_full_disk_costs_nothing_that_was_saved(tmp_path, num):
    """A disk of its own, in memory, of 1 MB, that is full after any number of bytes: the error is the real one."""
    in_namespace = ["unshare", "--mount", "--map-root-user"]
    mount = f"mount -t tmpfs -o size=1m none {tmp_path}"
    try:
        probe = subprocess.run([*in_namespace, "sh", "-c", mount], capture_output=True)
    except OSError:
        pytest.skip("there is no unshare here")
    if probe.returncode:
        pytest.skip(f"no disk may be mounted here: {probe.stderr.decode().strip()}")
    script = ON_A_SMALL_DISK.format(tests=str(Path(__file__).parent), disk=str(tmp_path), num=num)
    command = [*in_namespace, "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, script]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr[-3000:]
    checkpoints, *told, done = finished.stdout.splitlines()
    num_failed, last = map(int, checkpoints.split()[1:])
    assert num_failed >= 2 and last >= 2, "of the saves some must fail and some not"
    line = f"cannot write metrics to {tmp_path / 'run'}: No space left on device"
    assert told == [f"metrics True {line}", f"resumed {line}"]
    assert done == "done" and "Traceback" not in finished.stderr


@pytest.mark.parametrize("in_orbax", [True, False])
def test_of_arrays_that_fail_together_one_is_told_of(in_orbax, tmp_path, caplog):
    """Orbax raises the first error; the others are logged when nobody asks for them any more."""
    checkpoint_file.quiet_orbax()
    place = tmp_path / ("orbax" if in_orbax else "elsewhere") / "writer.py"
    functions: dict[str, Any] = {}
    exec(compile("async def write():\n    raise ValueError('No space left')", str(place), "exec"), functions)

    async def save():
        write = asyncio.ensure_future(functions["write"]())
        await asyncio.sleep(0)
        del write
        gc.collect()

    asyncio.run(save())
    assert bool(caplog.records) != in_orbax


# Damaged files


def truncate(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def flip_a_bit(data: bytearray, chance: random.Random) -> bytearray:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def overwrite(data: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(data))
    return data[:start] + bytes(len(data[start : start + 512])) + data[start + 512 :]  # a sector that was never written


@pytest.mark.parametrize("num", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_damage_anywhere_gives_the_right_numbers_or_the_checkpoint_before(tmp_path, capsys, num):
    directory, chance, fallbacks = make_run(tmp_path / "run"), random.Random(num), 0
    files = sorted(path for path in (directory / "checkpoints/2").rglob("*") if path.is_file() and path.stat().st_size)
    originals = {path: path.read_bytes() for path in files}
    for _ in range(num):
        path = chance.choice(files)
        damage = chance.choice([truncate, flip_a_bit, overwrite])
        path.write_bytes(damage(bytearray(originals[path]), chance))
        loaded = checkpoint.load(directory)
        told = capsys.readouterr().err
        model = make_tree(loaded.step) | {"key": jax.random.key_data(make_tree(loaded.step)["key"])}
        assert bits(loaded.arrays) == bits(model) and loaded.meta == {"step": loaded.step}, (path, damage)
        if loaded.step == 1:
            assert f"warning: {directory / 'checkpoints/2'} is damaged (" in told and "using checkpoint 1" in told
            fallbacks += 1
        else:
            assert not told
        path.write_bytes(originals[path])
    assert num / 4 < fallbacks < num, "damage must show, but for files that do not matter"


# Clocks


def test_a_clock_that_goes_backwards_changes_nothing(tmp_path, monkeypatch):
    def run(directory: Path) -> list[dict]:
        start, step = {"x": jnp.zeros(2)}, lambda tree, i: ({"x": tree["x"] + i}, {"loss": jnp.float32(i)})
        for total, resume in ((4, False), (8, True)):
            with checkpoint.open_run(directory, {}, {}, resume=resume) as opened:
                ended = loop.go_on(opened, start, step, total, Stop(), save_every=2)
        assert ended is not None
        np.testing.assert_array_equal(ended.everything["x"], [28, 28])
        assert ended.seconds >= 0 and checkpoint.steps(directory) == [6, 8]
        return metrics.read(directory)

    expected = run(tmp_path / "quiet")
    now = time.time()
    clock = iter(now - 86_400 * i for i in range(10**9))
    monkeypatch.setattr(time, "time", lambda: next(clock))
    monkeypatch.setattr(time, "time_ns", lambda: int(next(clock) * 1e9))
    rows = run(tmp_path / "backwards")
    assert [row["loss"] for row in rows] == [row["loss"] for row in expected]
    times = [row["time"] for row in rows]
    assert times == sorted(times) and times[0] >= 0 and times[-1] < 600


def test_the_newest_checkpoint_is_the_last_step_whatever_the_dates_of_the_files(tmp_path):
    directory = make_run(tmp_path / "run", (9, 10))
    for age, step in enumerate((9, 10)):
        for path in [*(directory / f"checkpoints/{step}").rglob("*"), directory / f"checkpoints/{step}"]:
            os.utime(path, (10**9 - 10**6 * age, 10**9 - 10**6 * age))
    assert restored(directory) == 10


# Numbers that are none


def root(x: jax.Array, i: jax.Array) -> jax.Array:
    """Finite at 0, where its slope is not."""
    return jax.lax.cond(i == 3, lambda x: jnp.sqrt(x * 0.0), lambda x: x, x)


def far(x: jax.Array, i: jax.Array) -> jax.Array:
    """Finite with a finite slope, but a step down it leads out of all numbers."""
    return jnp.where(i == 3, 10.0, 0.0) * x


@pytest.mark.parametrize(("loss", "rate", "metric"), [(root, 1e-3, "gradient_norm"), (far, 1e38, "weights_norm")])
def test_what_is_no_number_after_a_finite_loss_stops_the_run_before_it_is_saved(tmp_path, loss, rate, metric):
    optimizer = optax.sgd(rate)

    @jax.jit
    def improve(state, i):
        return learner.descend(
            optimizer, state, lambda weights: (loss(weights["x"], i), {"loss": loss(weights["x"], i)})
        )

    with (
        checkpoint.open_run(tmp_path, {}, {}) as run,
        pytest.raises(FloatingPointError, match=rf"^{metric} is (nan|inf)$"),
    ):
        loop.go_on(run, learner.init(optimizer, {"x": jnp.ones(())}), improve, 10, Stop(), save_every=1)
    loaded = checkpoint.load(tmp_path)
    assert loaded.step == 3 and np.isfinite(loaded.arrays["params"]["x"])
    assert [row["iteration"] for row in metrics.read(tmp_path)] == [1, 2, 3]


# Engines that never end


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["yes", "=1 answer"], "more than 10000 lines|ended before it answered"),
        (["sh", "-c", "exec yes ''"], "in 1 s and was killed|ended before it answered"),
        (["cat", "/dev/zero"], "more than 10000 lines|in 1 s and was killed|ended before it answered"),
        ([sys.executable, "-c", "import os\nwhile True: os.write(2, bytes(1000))"], "in 1 s and was killed"),
        (["sh", "-c", "while :; do echo word; sleep 0.01; done"], "in 1 s and was killed"),
        (["sh", "-c", "sleep 20 & sleep 20"], "in 1 s and was killed"),
    ],
    ids=["answers", "empty lines", "no line", "complaints", "one word at a time", "a child that holds the pipe"],
)
def test_an_engine_that_never_ends_its_answer_is_killed(command, what):
    started = time.monotonic()
    client = Client(command, timeout=1, name="engine")
    with pytest.raises(EngineError, match=what) as caught:
        client.send("name")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1100
    assert not client.is_running
    client.close()
    assert time.monotonic() - started < 20


# Two at once


def test_of_processes_that_start_one_run_at_once_one_trains(tmp_path):
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from rl_pretrain import run_directory
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            lock = run_directory.claim(Path({str(tmp_path / "run")!r}), {{"a": 1}}, {{}}, False, ())
        except run_directory.RunError as error:
            print(error, flush=True)
        else:
            print("mine", flush=True)
            sys.stdin.readline()  # train
    """)
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4  # pyright: ignore
        for process in processes:
            process.stdin.write("go\n")  # pyright: ignore
            process.stdin.flush()  # pyright: ignore
        said = [process.stdout.readline() for process in processes]  # pyright: ignore
    finally:
        for process in processes:
            with contextlib.suppress(BrokenPipeError):
                process.communicate("stop\n")
    assert said.count("mine\n") == 1, said
    assert all("is in use by" in line or line == "mine\n" for line in said), said


def test_a_run_that_trains_is_not_opened_again(tmp_path):
    with checkpoint.open_run(tmp_path / "run", {}, {}) as run:
        checkpoint.save(run, 1, make_tree(1), {"step": 1})
        for resume in (True, False):
            with pytest.raises(RunError, match="is in use by process"):
                checkpoint.open_run(tmp_path / "run", {}, {}, resume=resume)
        checkpoint.save(run, 2, make_tree(2), {"step": 2})
    assert restored(tmp_path / "run") == 2
