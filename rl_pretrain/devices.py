"""The devices of a run, and how trees lie on them: `[devices, ...]` arrays for `jax.pmap(axis_name=AXIS)`.

Where several processes train together, the devices are those of all, in the order of the processes, and the arrays of
a process are `[its own devices, ...]`: so a pmap wants them.
"""

import collections
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from rl_pretrain.settings import SettingError

AXIS = "devices"
"""The `axis_name` of every pmap. Placement uses the same name, or the second call of a pmap would compile again."""

Devices = Sequence["jax.Device"]  # pyright: ignore[reportInvalidTypeForm]


def use(num_devices: int | None = None) -> Devices:
    """Starts JAX with the devices of this run; call it before anything else touches JAX.

    A machine without accelerators gets `num_devices` virtual CPU devices, so that a run on four devices can be tried
    on a laptop. With accelerators the first `num_devices` are taken. None means all accelerators, or one CPU device.
    Of several processes each brings as many.

    Raises SettingError, in one line, when the devices cannot be had.
    """
    if num_devices is not None and num_devices < 1:
        raise SettingError(f"devices must be at least 1, got {num_devices}")
    is_started = num_devices is not None and not _ask_for_cpu_devices(num_devices)
    found = jax.devices()
    if jax.process_count() > 1:
        return _of_all_processes(found, num_devices)
    is_cpu = found[0].platform == "cpu"
    if num_devices is None:
        return found[:1] if is_cpu else found
    if num_devices > len(found) and is_started and is_cpu:
        raise SettingError(
            f"devices={num_devices} asked for, but JAX has already started with {len(found)}; "
            "call rl_pretrain.devices.use before any other JAX code"
        )
    if num_devices > len(found):
        raise SettingError(f"devices={num_devices} asked for, but this machine has {len(found)} ({_kinds(found)})")
    return found[:num_devices]


def local(devices: Devices) -> Devices:
    """Those of this process."""
    return [device for device in devices if device.process_index == jax.process_index()]


def describe(devices: Devices) -> str:
    """The devices in a few words, such as `2 × NVIDIA H200` or `4 virtual CPU devices on 2 cores`."""
    together = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
    if devices[0].platform != "cpu":
        return " + ".join(f"{count} × {kind}" for kind, count in _count_kinds(devices).items()) + together
    cores = num_cores()
    noun = "CPU device" if len(devices) == 1 else "virtual CPU devices"
    return f"{len(devices)} {noun} on {cores} core{'s' * (cores != 1)}{together}"


def num_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_compilation_cache(path: str | os.PathLike | None = None) -> Path | None:
    """Keeps compiled programs on disk, so that the next start of the same program takes seconds, not minutes.

    Without `path`, JAX_COMPILATION_CACHE_DIR counts, then `reward-pretraining/xla` in the user's cache directory.
    Call it before the first compilation. Returns the directory, or None after a warning where it cannot be written.
    """
    try:
        directory = Path(path or jax.config.values["jax_compilation_cache_dir"] or _default_cache()).absolute()
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home directory
        print(f"warning: compiled programs are not kept for the next start: {error}", file=sys.stderr)
        jax.config.update("jax_compilation_cache_dir", None)
        return None
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    return directory


def shard(tree: Any, devices: Devices) -> Any:
    """Copies arrays `[devices, ...]` so that row i lies on device i; the source may then be changed or donated.

    Of several processes each gives the rows of its own devices.

    Raises ValueError where a leading axis is not the number of devices (a pmap would use fewer devices, silently).
    """
    devices = local(devices)
    sharding = _sharding(devices)

    def place(x):
        if not np.ndim(x) or np.shape(x)[0] != len(devices):
            raise ValueError(f"the leading axis must be the {len(devices)} devices, got shape {np.shape(x)}")
        # A CPU device borrows NumPy memory whatever `may_alias` says; for JAX arrays it is heeded.
        x = x if isinstance(x, jax.Array) else np.array(x)
        return jax.device_put(x, sharding, may_alias=False)

    return jax.tree.map(place, tree)


def replicate(tree: Any, devices: Devices) -> Any:
    """One copy of the tree for each device: arrays `[...]` become `[devices, ...]`."""
    num_copies = len(local(devices))

    def repeat(x):
        if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jnp.broadcast_to(x, (num_copies, *x.shape))
        x = np.asarray(x)  # by way of the host: nothing to compile, and no device ever holds all the copies
        return np.broadcast_to(x, (num_copies, *x.shape))

    return shard(jax.tree.map(repeat, tree), devices)


def unreplicate(tree: Any) -> Any:
    """The first device's copy of a replicated tree, on that device: `[devices, ...]` becomes `[...]`.

    It takes the first shard instead of `x[0]`, which would gather from all devices.
    """

    def first(x):
        piece = x.addressable_shards[0].data
        if not piece.ndim or piece.shape[0] != 1:
            raise ValueError(f"not a replicated array: one device holds {piece.shape} of shape {x.shape}")
        return piece

    return _drop_leading_axis(jax.tree.map(first, tree))


@jax.jit
def _drop_leading_axis(tree: Any) -> Any:
    return jax.tree.map(lambda x: x[0], tree)


def _of_all_processes(found: Devices, num_each: int | None) -> Devices:
    hands = [[device for device in found if device.process_index == i] for i in range(jax.process_count())]
    if num_each is None:
        num_each = 1 if found[0].platform == "cpu" else max(map(len, hands))
    for i, hand in enumerate(hands):
        if len(hand) < num_each:
            raise SettingError(f"devices={num_each} of each process asked for, but process {i} has {len(hand)}")
    return [device for hand in hands for device in hand[:num_each]]


def _ask_for_cpu_devices(num_devices: int) -> bool:
    """False where JAX has already started, with whatever devices it then had. Accelerators are not affected."""
    try:
        jax.config.update("jax_num_cpu_devices", num_devices)
    except RuntimeError:
        return False
    if num_devices > 1:
        _give_threads(num_devices)
    return True


def _give_threads(num_devices: int) -> None:
    """Keeps virtual devices from waiting for one another for ever.

    XLA:CPU runs all of them on one pool of as many threads as there are cores, and a device that waits in a `pmean`
    keeps its thread. With few cores nobody is left to do what it waits for, and XLA ends the process after 40 s (seen
    with two devices on two cores). NPROC is where XLA reads the size of the pool; the longer time-out is for machines
    under load.
    """
    os.environ.setdefault("NPROC", str(num_cores() + 2 * num_devices))
    flags = os.environ.get("XLA_FLAGS", "")
    if "collective_call_terminate_timeout" not in flags:
        flags += " --xla_cpu_collective_call_terminate_timeout_seconds=1200"
        flags += " --xla_cpu_collective_call_warn_stuck_timeout_seconds=300"
        os.environ["XLA_FLAGS"] = flags.strip()


def use_small_products() -> None:
    """Multiplies every pair of matrices on one core; for small networks, before anything else touches JAX.

    XLA:CPU shares a product out among its threads and waits, in a thread of the same pool. Where several products of a
    loop's step do so at once, all may wait for ever (seen with two stacked GRU cells mapped over seeds, on two cores).
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()


def compile_soon() -> dict[str, int]:
    """Options of `jax.jit(compiler_options=...)` where compiling takes longer than running: less of it, on CPUs."""
    return {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else {}


def _sharding(devices: Devices) -> NamedSharding:
    mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
    return NamedSharding(mesh, PartitionSpec(AXIS))


def _count_kinds(devices: Devices) -> dict[str, int]:
    return dict(collections.Counter(device.device_kind for device in devices))


def _kinds(devices: Devices) -> str:
    return ", ".join("CPU" if kind == "cpu" else kind for kind in _count_kinds(devices))


def _default_cache() -> Path:
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = xdg if xdg.is_absolute() else Path("~/.cache").expanduser()  # the standard ignores relative values
    return base / "reward-pretraining" / "xla"
