"""What is restored is what was saved, bit for bit, or a clear line says why not; no accident costs the one before."""

import contextlib
import logging
import random
import signal
import subprocess
import sys
import textwrap
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rl_pretrain import checkpoint, checkpoint_file, devices
from rl_pretrain.checkpoint import RunError


class State(NamedTuple):
    params: dict
    opt_state: optax.OptState
    key: jax.Array
    num_updates: jax.Array


def make_state(seed=0):
    key = jax.random.key(seed)
    params = {"dense": {"kernel": jax.random.normal(key, (3, 4)), "bias": jnp.ones(4, jnp.bfloat16) / 3}}
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))
    return State(params, optimizer.init(params), jax.random.fold_in(key, 1), jnp.int32(seed))


def bits(tree):
    """Every leaf as bytes with its kind, so that equal means equal bit for bit, NaN or not."""

    def one(x):
        if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            return str(x.dtype), x.shape, np.asarray(jax.random.key_data(x)).tobytes()
        return type(x).__name__, np.asarray(x).dtype, np.shape(x), np.asarray(x).tobytes()

    return jax.tree.structure(tree), [one(x) for x in jax.tree.leaves(tree)]


def start(directory, resume=False, **kwargs):
    return checkpoint.open_run(directory, {"size": 9}, {}, resume=resume, **kwargs)


def make_run(directory, steps=(1, 2), tree=make_state):
    with start(directory) as run:
        for step in steps:
            checkpoint.save(run, step, tree(step), {"games": 10 * step})


def place(directory, step):
    return directory / "checkpoints" / str(step)


def files(directory, step):
    return sorted(path for path in place(directory, step).rglob("*") if path.is_file())


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "run"


def test_every_kind_of_leaf_comes_back_bit_for_bit(directory):
    nan_with_payload = np.array([0x7FC12345, 0xFF800001, 0x80000000], np.uint32).view(np.float32)
    tree = {
        "state": make_state(),
        "keys": jax.random.split(jax.random.key(3), (2, 5)),
        "other keys": jax.random.key(1, impl="rbg"),
        "bfloat16": jax.lax.bitcast_convert_type(jnp.arange(65536, dtype=jnp.uint16), jnp.bfloat16),
        "float16": np.arange(65536, dtype=np.uint16).view(np.float16),
        "nan": nan_with_payload,
        "integers": [
            np.array([info.min, info.max]) for info in map(np.iinfo, (np.int8, np.uint16, np.int64, np.uint64))
        ],
        "bool": np.array([True, False]),
        "scalar": np.float32(2.5),
        "python": (3, 0.1, True, 2**40),
        "no elements": np.zeros((0, 3), np.int8),
        "nothing": None,
        "column order": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "every second": np.arange(10)[::2],
    }
    with start(directory) as run:
        checkpoint.save(run, 7, tree, {"elo": [1.5, None], "note": "ü"})
        restored = checkpoint.restore(run, tree)
        assert restored.step == 7 and restored.meta == {"elo": [1.5, None], "note": "ü"}
        assert bits(restored.tree) == bits(tree)


def test_arrays_go_where_their_models_are(directory):
    all_devices = devices.use(len(jax.devices()))
    local = make_state(1)
    sharded = devices.shard({"x": np.arange(40.0).reshape(len(all_devices), -1)}, all_devices)
    sharded["keys"] = devices.shard(jax.random.split(jax.random.key(0), len(all_devices)), all_devices)
    tree = {"copies": devices.replicate(local, all_devices), "sharded": sharded, "free": jnp.ones(3)}
    with start(directory) as run:
        checkpoint.save(run, 1, tree)
        back = checkpoint.restore(run, tree).tree
        assert bits(back) == bits(tree)
        same = jax.tree.map(lambda a, b: a.sharding == b.sharding and a.committed == b.committed, back, tree)
        assert jax.tree.all(same), same
        placed = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)
        back = checkpoint.restore(run, placed).tree
        assert bits(back) == bits(tree) and back["sharded"]["x"].sharding == sharded["x"].sharding
        host = checkpoint.restore(run, jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)).tree
        assert type(host["sharded"]["x"]) is np.ndarray
        np.testing.assert_array_equal(host["sharded"]["x"], sharded["x"])


def test_a_restored_state_runs_in_the_program_compiled_for_the_old_one(directory):
    all_devices = devices.use(len(jax.devices()))
    state = devices.replicate(make_state(), all_devices)
    double = jax.pmap(lambda s: jax.tree.map(lambda x: x * 2, s.params), axis_name=devices.AXIS)
    expected = double(state)
    with start(directory) as run:
        checkpoint.save(run, 1, state)
        restored = checkpoint.restore(run, state).tree
    with jax.log_compiles(), _records("jax") as records:
        assert bits(double(restored)) == bits(expected)
    assert not [record for record in records if "Compiling" in record.getMessage()]


class _records(logging.Handler):  # noqa: N801 (used like a function)
    """The log records of a logger, as a context manager."""

    def __init__(self, name):
        super().__init__()
        self.seen, self.logger = [], logging.getLogger(name)

    def emit(self, record):
        self.seen.append(record)

    def __enter__(self):
        self.logger.addHandler(self)
        return self.seen

    def __exit__(self, *_):
        self.logger.removeHandler(self)


def test_what_is_saved_is_the_state_at_the_time_of_the_call(directory):
    host = np.zeros(300_000, np.float32)
    update = jax.jit(lambda x: x + 1, donate_argnums=0)
    state = jnp.zeros(300_000)
    with start(directory) as run:
        checkpoint.save(run, 1, {"host": host, "state": state})
        host[:] = 1
        for _ in range(3):
            state = update(state)
    arrays = checkpoint.load(directory).arrays
    assert not arrays["host"].any() and not arrays["state"].any()


def test_the_latest_two_and_the_best_are_kept(directory):
    with start(directory, best="strength") as run:
        for step, strength in enumerate([0.1, 0.9, 0.3, float("nan"), 0.2, 0.4], start=1):
            checkpoint.save(run, step, {"x": np.ones(3) * step}, metrics={"strength": jnp.float32(strength), "loss": 1})
        checkpoint.save(run, 7, {"x": np.ones(3) * 7}, metrics={"loss": 1.0})
        checkpoint.save(run, 8, {"x": np.ones(3) * 8})
        run.wait()
        assert checkpoint.steps(directory) == [2, 7, 8]
    assert checkpoint.load(directory, 2).metrics == {"strength": float(np.float32(0.9)), "loss": 1.0}
    with start(directory, resume=True, best="strength") as run:
        for step, strength in [(9, 0.95), (10, 0.0), (11, 0.0)]:
            checkpoint.save(run, step, {"x": np.ones(3)}, metrics={"strength": strength})
    assert checkpoint.steps(directory) == [9, 10, 11]


def test_milestones_are_kept_besides_the_latest_two(directory):
    with checkpoint.open_run(directory, {}, {}, keep_every=4) as run:
        for step in range(1, 12):
            checkpoint.save(run, step, {"x": np.ones(3) * step})
    assert {4, 8, 10, 11} <= set(checkpoint.steps(directory)) <= {1, 4, 8, 10, 11}


def test_without_a_metric_the_latest_two_are_kept(directory):
    make_run(directory, range(1, 6))
    assert checkpoint.steps(directory) == [4, 5]


def test_saving_a_step_again_does_nothing_and_an_earlier_one_is_a_mistake(directory):
    with start(directory) as run:
        assert run.latest_step is None
        assert checkpoint.save(run, 5, {"x": np.ones(3)})
        assert not checkpoint.save(run, 5, {"x": np.zeros(3)})
        with pytest.raises(ValueError, match="checkpoint 4 would come before checkpoint 5"):
            checkpoint.save(run, 4, {"x": np.ones(3)})
        run.wait()
        assert run.latest_step == 5
    assert checkpoint.load(directory).arrays["x"].all()


def test_two_leaves_cannot_share_a_name(directory):
    with start(directory) as run, pytest.raises(ValueError, match="one name"):
        checkpoint.save(run, 1, {"a": {"b": np.ones(1)}, "a/b": np.ones(1)})
    with start(directory, resume=True) as run, pytest.raises(TypeError, match="arrays of numbers"):
        checkpoint.save(run, 1, {"a": "text"})


def test_a_state_of_another_form_is_refused_by_name(directory):
    state = make_state()
    kernel_only = {"dense": {"kernel": state.params["dense"]["kernel"]}}
    cases = [
        (state._replace(params=kernel_only), "params/dense/bias is not expected"),
        (state._replace(params={**state.params, "new": jnp.ones(2)}), "params/new is missing"),
        (state._replace(num_updates=jnp.float32(0)), "num_updates is int32[], expected float32[]"),
        (state._replace(num_updates=jnp.int32([0])), "num_updates is int32[], expected int32[1]"),
        (state._replace(key=jax.random.key(0, impl="rbg")), "key is key<fry>[], expected key<rbg>[]"),
        (state._replace(key=jax.random.key_data(state.key)), "key is key<fry>[], expected uint32[2]"),
        (state._replace(opt_state=()), "opt_state/1/0/count is not expected (and 4 more)"),
    ]
    make_run(directory)
    with start(directory, resume=True) as run:
        for like, problem in cases:
            with pytest.raises(RunError) as caught:
                checkpoint.restore(run, like)
            text = str(caught.value)
            assert text.startswith(f"{place(directory, 2)} was written by another version or config: {problem}"), text
        assert checkpoint.restore(run, state).step == 2, "and nothing was moved away"


def test_a_checkpoint_of_another_format_is_refused(directory, monkeypatch):
    monkeypatch.setattr("rl_pretrain.checkpoint_file.FORMAT", 99)
    make_run(directory)
    monkeypatch.undo()
    with start(directory, resume=True) as run, pytest.raises(RunError, match="has format 99, this code reads 1"):
        checkpoint.restore(run, make_state())


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_middle_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def large(seed):
    """Values that do not compress, so that most bits of the largest file are theirs."""
    return {"x": np.random.default_rng(seed).standard_normal(5000)}


@pytest.mark.parametrize(
    "damage", [truncate, flip_middle_bit, lambda path: path.write_bytes(b""), lambda path: path.unlink()]
)
def test_damage_to_any_file_never_gives_wrong_numbers(directory, damage):
    """Either the file did not matter, or the checkpoint before takes over and the damaged one is set aside."""
    make_run(directory, tree=large)
    originals = {path: path.read_bytes() for path in files(directory, 2)}
    fallbacks = 0
    for path, content in originals.items():
        damage(path)
        try:
            loaded = checkpoint.load(directory)
            np.testing.assert_array_equal(loaded.arrays["x"], large(loaded.step)["x"])
            assert loaded.meta == {"games": 10 * loaded.step}
            fallbacks += loaded.step == 1
        finally:
            path.write_bytes(content)
    assert fallbacks >= 3, "damage to the arrays or their description must show"
    assert checkpoint.load(directory).step == 2


def test_no_changed_bit_in_the_description_goes_unseen(directory):
    make_run(directory, tree=large)
    path = place(directory, 2) / "info" / "metadata"
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with contextlib.suppress(checkpoint_file.DamagedError):
            checkpoint_file.read(place(directory, 2))
            assert content[position : position + 1].isspace(), f"{content!r} changed at {position}"


def test_a_damaged_checkpoint_is_set_aside_with_a_warning_and_the_run_goes_on(directory, capsys):
    make_run(directory, tree=large)
    flip_middle_bit(max(files(directory, 2), key=lambda path: path.stat().st_size))
    with start(directory, resume=True) as run:
        restored = checkpoint.restore(run, large(0))
        assert restored.step == 1 and restored.meta == {"games": 10}
        first, second = capsys.readouterr().err.splitlines()
        assert first.startswith(f"warning: {place(directory, 2)} is damaged (") and "using checkpoint 1" in first
        assert second == f"warning: checkpoint 2 moved to {directory / 'set_aside' / '2'}"
        assert checkpoint.save(run, 2, large(2))
    assert checkpoint.load(directory).step == 2


def test_when_none_can_be_read_all_are_named_and_nothing_is_moved(directory):
    make_run(directory)
    for step in (1, 2):
        truncate(place(directory, step) / "info" / "metadata")
    with start(directory, resume=True) as run:
        with pytest.raises(RunError) as caught:
            checkpoint.restore(run, make_state())
        text = str(caught.value)
        assert f"{place(directory, 2)} is damaged" in text and f"{place(directory, 1)} is damaged" in text
        assert "bring back a copy or choose another --name" in text and "\n" not in text
    assert checkpoint.steps(directory) == [1, 2]


def test_a_named_step_that_is_damaged_is_not_replaced_by_another(directory):
    make_run(directory)
    truncate(place(directory, 2) / "info" / "metadata")
    with start(directory, resume=True) as run:
        with pytest.raises(RunError, match="name another step"):
            checkpoint.restore(run, make_state(), step=2)
        with pytest.raises(RunError, match="has no checkpoint 3; it has 1, 2"):
            checkpoint.restore(run, make_state(), step=3)


def test_going_back_to_a_step_sets_the_later_ones_aside(directory):
    make_run(directory, (1, 2))
    for attempt in ("2", "2-2"):
        with start(directory, resume=True) as run:
            assert checkpoint.restore(run, make_state(), step=1).step == 1
            assert (directory / "set_aside" / attempt).is_dir()
            assert checkpoint.save(run, 2, make_state(20))
    assert checkpoint.load(directory).arrays["num_updates"] == 20


def test_a_run_without_checkpoint_says_so(directory):
    with start(directory) as run, pytest.raises(RunError, match="has no checkpoint yet"):
        checkpoint.restore(run, make_state())
    with pytest.raises(RunError, match="has no checkpoint yet"):
        checkpoint.load(directory)
    with pytest.raises(RunError, match=r"config.json is missing"):
        checkpoint.load(directory / "nowhere")


def test_plain_data_can_be_read_while_the_run_goes_on(directory):
    state = make_state(4)
    with start(directory) as run:
        checkpoint.save(run, 1, state, {"games": 3})
        run.wait()
        for path in (directory, place(directory, 1), str(directory)):
            loaded = checkpoint.load(path)
            assert (loaded.config, loaded.step, loaded.meta) == ({"size": 9}, 1, {"games": 3})
            np.testing.assert_array_equal(loaded.arrays["params"]["dense"]["kernel"], state.params["dense"]["kernel"])
            assert loaded.arrays["opt_state"]["1"]["0"]["count"] == 0
            np.testing.assert_array_equal(loaded.arrays["key"], jax.random.key_data(state.key))


def test_saving_and_restoring_are_silent_but_other_warnings_are_not(directory, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger("absl"), "level", logging.INFO)
    with _records("absl") as records:
        make_run(directory)
        with start(directory, resume=True, best="strength") as run:
            checkpoint.restore(run, make_state())
            checkpoint.save(run, 3, make_state())
        assert [record.getMessage() for record in records] == []
        assert capfd.readouterr() == ("", "")
        logging.getLogger("absl").warning("mine")
        assert len(records) == 1


def test_an_error_that_ends_the_run_is_not_hidden_by_one_of_saving(directory, capsys, monkeypatch):
    def fail(_):
        raise RunError("the disk is full")

    with pytest.raises(FloatingPointError), start(directory):
        monkeypatch.setattr(checkpoint.Run, "wait", fail)
        raise FloatingPointError("loss is nan")
    assert capsys.readouterr().err == "warning: the disk is full\n"
    with pytest.raises(RunError, match="the disk is full"), start(directory, resume=True):
        pass
    start(directory, resume=True)._lock.close()  # the failed ones let go of the directory


def python(script, **kwargs):
    command = [sys.executable, "-c", textwrap.dedent(script)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=120, **kwargs)
    assert out.returncode == 0, out.stderr
    return out


def test_a_full_disk_costs_no_earlier_checkpoint(directory):
    """A limit on the size of files makes writing fail as a full disk does."""
    out = python(f"""
        import resource, numpy as np
        from rl_pretrain import checkpoint

        def limit(size):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        tree = {{"x": np.random.default_rng(0).standard_normal(100_000)}}
        with checkpoint.open_run({str(directory)!r}, {{"size": 9}}, {{}}) as run:
            for step in (1, 2):
                checkpoint.save(run, step, tree)
            run.wait()
            limit(100_000)
            try:
                checkpoint.save(run, 3, tree)
                run.wait()
            except checkpoint.RunError as error:
                print(error)
            print(checkpoint.steps(run.directory), checkpoint.load(run.directory).step)
            limit(resource.RLIM_INFINITY)
            assert checkpoint.save(run, 3, tree)  # space again: the run could go on
            run.wait()
            print(checkpoint.steps(run.directory))
            limit(100_000)
            checkpoint.save(run, 4, tree)
            try:
                run.close()
            except checkpoint.RunError as error:
                print(error)
    """)
    first, kept, later, last = out.stdout.splitlines()
    for line in (first, last):
        assert line.startswith(f"cannot write a checkpoint to {directory / 'checkpoints'}: "), line
        assert line.endswith("File too large; the earlier ones are intact"), line
    assert "orbax" not in out.stderr, "one line is enough"
    assert kept == "[1, 2] 2" and later == "[2, 3]"
    with start(directory, resume=True) as run:
        assert checkpoint.restore(run, {"x": np.zeros(100_000)}).step == 3


def test_a_process_killed_while_saving_loses_nothing_it_had_saved(directory):
    script = textwrap.dedent("""
        import itertools, sys, numpy as np
        from rl_pretrain import checkpoint
        with checkpoint.open_run(sys.argv[1], {"size": 9}, {}, resume=len(sys.argv) > 2) as run:
            print("saving", flush=True)
            for step in itertools.count((run.latest_step or 0) + 1):
                checkpoint.save(run, step, {"x": np.full(200_000, step), "y": np.ones(3)}, {"step": step})
                run.wait()
                print(step, flush=True)
    """)
    moments = random.Random(0)
    before = 0
    for attempt in range(4):
        command = [sys.executable, "-c", script, str(directory)] + ["resume"] * (attempt > 0)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "saving\n"
        if attempt == 0:
            process.stdout.readline()  # the first checkpoint is there
        time.sleep(moments.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout.read().split()]
        process.wait()
        with start(directory, resume=True) as run:
            step, tree, meta = checkpoint.restore(run, {"x": np.zeros(200_000, int), "y": np.zeros(3)})
        assert step >= max([before, *told]) and meta == {"step": step}
        assert (tree["x"] == step).all()
        before = step
    assert not (directory / "set_aside").exists(), "a killed save must not even look like a checkpoint"
    (directory / "checkpoints" / "999.orbax-checkpoint-tmp").mkdir()
    with start(directory, resume=True) as run:
        checkpoint.save(run, before + 1, {"x": np.ones(3)})
    names = [path.name for path in (directory / "checkpoints").iterdir()]
    assert all(name.isdigit() for name in names), f"half-written checkpoints stay for ever: {names}"
