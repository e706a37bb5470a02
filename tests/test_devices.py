"""Devices: as many as asked for or one clear line; trees laid out so that a pmap compiles once.

What must happen before JAX starts is tried in processes of its own.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import pytest

from rl_pretrain import devices
from rl_pretrain.settings import SettingError


def run(script, **environment):
    """What a script prints. JAX has started nowhere else in it."""
    env = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    for name in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES"):
        env.pop(name, None)
    command = [sys.executable, "-c", textwrap.dedent(script)]
    out = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_layout_on_four_virtual_devices():
    """One process for all of it: starting JAX takes longest."""
    run("""
        import functools, jax, jax.numpy as jnp, numpy as np
        from rl_pretrain import devices as D
        from rl_pretrain.settings import SettingError

        four = D.use(4)
        assert len(four) == 4
        assert D.describe(four).startswith("4 virtual CPU devices on "), D.describe(four)
        assert D.use(2) == four[:2], "a second call in the same process takes from what is there"
        try:
            D.use(5)
        except SettingError as error:
            assert str(error).startswith("devices=5 asked for, but JAX has already started with 4;"), error
        else:
            raise AssertionError("made a fifth device after JAX had started")

        compiled = []
        def listen(name, *_, **__):
            if name == "/jax/core/compile/backend_compile_duration":
                compiled.append(name)
        jax.monitoring.register_event_duration_secs_listener(listen)

        def compiles(f, *args):
            before = len(compiled)
            out = jax.block_until_ready(f(*args))
            return len(compiled) - before, out

        tree = {
            "weights": jnp.arange(12.0).reshape(3, 4), "half": jnp.ones(2, jnp.bfloat16), "count": 3,
            "key": jax.random.key(7), "keys": jax.random.split(jax.random.key(8), 3), "host": np.array([True, False]),
        }
        copies = D.replicate(tree, four)
        for name, leaf in copies.items():
            assert leaf.shape == (4, *np.shape(tree[name])), name
            assert [piece.device for piece in leaf.addressable_shards] == four, name
        count, back = compiles(D.unreplicate, copies)
        assert count == 1, "one program for the whole tree"
        for name, leaf in back.items():
            assert leaf.devices() == {four[0]} and leaf.shape == np.shape(tree[name]), name
        data = lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.all(data(a) == data(jnp.asarray(b)))), back, tree))
        assert back["half"].dtype == jnp.bfloat16 and back["count"].dtype == jnp.int32

        for make in (lambda x: D.shard(x, four), lambda x: D.replicate(x[0], four)):
            for _ in range(20):  # whether JAX borrows the memory depends on where it happens to lie
                source = np.ones((4, 1024, 64), np.float32)
                placed = make(source)
                source[:] = -1
                assert (np.asarray(placed) == 1).all(), "lies in memory that somebody else may change"
        mine = {"x": jnp.ones((1, 3)), "key": jax.random.split(jax.random.key(0), 1)}
        jax.block_until_ready(jax.jit(lambda tree: tree, donate_argnums=0)(D.shard(mine, four[:1])))
        assert not any(leaf.is_deleted() for leaf in mine.values()), "donating the copy takes the original away"

        placed = D.shard({"x": np.ones((4, 8)), "key": jax.random.split(jax.random.key(0), 4)}, four)
        for shape in ((), (3,), (8, 2)):
            try:
                D.shard(np.zeros(shape), four)
            except ValueError as error:
                assert f"got shape {shape}" in str(error), error
            else:
                raise AssertionError(f"laid out {shape} on 4 devices")
        for wrong in (jnp.ones(4), jnp.ones(())):
            try:
                D.unreplicate(wrong)
            except ValueError as error:
                assert "not a replicated array" in str(error)
            else:
                raise AssertionError(f"took {wrong} for a replicated array")

        @functools.partial(jax.pmap, axis_name=D.AXIS, donate_argnums=0)
        def step(state, batch):
            noise = jax.random.normal(batch["key"], state["weights"].shape)
            mean = jax.lax.pmean(batch["x"].mean() + noise, D.AXIS)
            return {**state, "weights": state["weights"] + mean, "count": state["count"] + 1}

        counts = []
        for _ in range(3):
            count, copies = compiles(step, copies, placed)
            counts.append(count)
        assert counts == [1, 0, 0], counts

        count, kept = compiles(D.unreplicate, copies)
        assert count == 0, "unreplicate compiles every time"
        kept_weights = np.array(kept["weights"])
        copies = step(copies, placed)  # donates what unreplicate read
        assert np.array_equal(kept["weights"], kept_weights)
        assert int(D.unreplicate(copies)["count"]) == 7
        assert np.unique(np.asarray(copies["weights"]), axis=0).shape[0] == 1
    """)


def test_without_a_number_a_machine_without_accelerators_gives_one_device():
    out = run("""
        from rl_pretrain import devices
        print(devices.describe(devices.use()))
    """)
    assert out.startswith("1 CPU device on ")


def test_accelerators_are_taken_in_order_and_never_more_than_there_are():
    out = run("""
        import types, jax
        from rl_pretrain import devices
        from rl_pretrain.settings import SettingError
        card = lambda i, kind="NVIDIA H200": types.SimpleNamespace(platform="gpu", device_kind=kind, id=i)
        jax.devices = lambda: [card(0), card(1)]
        print([device.id for device in devices.use()], [device.id for device in devices.use(1)])
        print(devices.describe(devices.use(2)), "/", devices.describe([card(0), card(1), card(2, "NVIDIA A100")]))
        try:
            devices.use(4)
        except SettingError as error:
            print(error)
    """)
    assert out.splitlines() == [
        "[0, 1] [0]",
        "2 × NVIDIA H200 / 2 × NVIDIA H200 + 1 × NVIDIA A100",
        "devices=4 asked for, but this machine has 2 (NVIDIA H200)",
    ]


@pytest.mark.parametrize("number", [0, -3])
def test_fewer_than_one_device_is_refused(number):
    with pytest.raises(SettingError, match=f"^devices must be at least 1, got {number}$"):
        devices.use(number)


CACHE = """
    import jax, jax.numpy as jnp
    from rl_pretrain import devices
    hits = []
    jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
    print(devices.use_compilation_cache())
    jax.jit(lambda x: jnp.sin(x) @ x.T)(jnp.ones((3, 4)))
    print("hits", hits.count("/jax/compilation_cache/cache_hits"))
"""


def test_a_second_start_finds_the_compiled_programs(tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path), "JAX_COMPILATION_CACHE_DIR": ""}
    environment["JAX_ENABLE_COMPILATION_CACHE"] = "true"
    first = run(CACHE, **environment).splitlines()
    assert Path(first[0]) == tmp_path / "reward-pretraining" / "xla"
    second = run(CACHE, **environment).splitlines()
    assert first[1] == "hits 0" and int(second[1].split()[1]) >= 1


@pytest.fixture
def cache_setting():
    before = jax.config.values["jax_compilation_cache_dir"]
    yield
    jax.config.update("jax_compilation_cache_dir", before)


@pytest.mark.usefixtures("cache_setting")
def test_a_cache_that_cannot_be_written_costs_a_warning_only(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert devices.use_compilation_cache(tmp_path / "file" / "below") is None
    assert jax.config.values["jax_compilation_cache_dir"] is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: compiled programs are not kept") and "file" in line


@pytest.mark.usefixtures("cache_setting")
def test_the_cache_is_below_the_users_cache_directory_unless_told_otherwise(tmp_path, monkeypatch):
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert devices.use_compilation_cache() == tmp_path / ".cache/reward-pretraining/xla"
    assert devices.use_compilation_cache(tmp_path / "mine") == tmp_path / "mine"
    assert devices.use_compilation_cache() == tmp_path / "mine", "JAX's own setting counts"
