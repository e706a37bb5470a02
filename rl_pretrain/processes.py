"""Several processes, on one machine or many, that train together; the first one speaks and writes for all.

All run the same script with the same settings. Under SLURM, MPI and Kubernetes they find one another; elsewhere each is
told where the first one listens, which one it is and how many there are:

    python experiments/go_9x9.py --coordinator=host0:1234 --process-id=1 --num-processes=4
"""

import argparse
import contextlib
import importlib.util
import os
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from rl_pretrain.settings import SettingError

START_SECONDS = 300
"""How long the first process waits for the others."""
HEARTBEAT_SECONDS = 60
"""A process that was silent for so long is given up, and all others stop."""

GOODBYE_SECONDS = 3
"""The first process ends that much later than the others, which JAX ends, with many words, as soon as it is gone."""

_LOST = re.compile("gloo|nccl|connection|coordination|heartbeat|unavailable|deadline|collective", re.IGNORECASE)


def start(arguments: Sequence[str]) -> list[str]:
    """Joins the other processes, if there are such; call it before anything else touches JAX.

    Args:
      arguments: a command line, perhaps with `--coordinator`, `--process-id` and `--num-processes`.

    Returns the command line without these. The standard output of all processes but the first is closed.

    Raises SettingError, in one line, where the flags do not go together or the others cannot be found.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--coordinator")
    for name in ("--process-id", "--num-processes"):
        parser.add_argument(name, type=int)
    told, rest = parser.parse_known_args(arguments)
    place = (told.coordinator, told.num_processes, told.process_id)
    if place == (None, None, None):
        if not is_launched(os.environ):
            return rest
    elif None in place:
        raise SettingError("--coordinator=HOST:PORT, --process-id and --num-processes go together")
    elif not re.fullmatch(r".+:\d+", told.coordinator):
        raise SettingError(f"--coordinator must be HOST:PORT, got {told.coordinator}")
    elif not 0 <= told.process_id < told.num_processes:
        raise SettingError(
            f"--process-id must be 0 to {told.num_processes - 1} for {told.num_processes} processes, "
            f"got {told.process_id}"
        )
    elif told.num_processes == 1:
        return rest
    _join(*place)
    return rest


def is_launched(environment: Mapping[str, str]) -> bool:
    """Whether a launcher has started several of us, as far as the environment tells and JAX can find out the rest."""

    def number(name: str) -> int:
        return int(environment.get(name) or 1)

    is_job = "JOB_COMPLETION_INDEX" in environment and importlib.util.find_spec("kubernetes") is not None
    is_step = "SLURM_STEP_NODELIST" in environment and number("SLURM_NTASKS") > 1
    return is_step or number("OMPI_COMM_WORLD_SIZE") > 1 or is_job


def index() -> int:
    """Which process this is; 0 is the first. Starts JAX."""
    return jax.process_index()


def count() -> int:
    """How many there are. Starts JAX."""
    return jax.process_count()


def gather(value: int) -> list[int]:
    """What all processes have given, in their order, 0 to 2³² - 1. Waits for all, so all must call it."""
    if count() == 1:
        return [value]
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(np.uint32(value)).tolist()


def whole(tree: Any) -> Any:
    """Arrays `[devices, ...]` of all processes' devices as host arrays. All must call it."""
    if count() == 1:
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree, tiled=True)


def join(rows: np.ndarray) -> jax.Array:
    """Rows of this process as part of an array of the rows of all, which none of them sees whole."""
    hosts = [jax.local_devices(i, backend="cpu")[0] for i in range(count())]
    sharding = NamedSharding(Mesh(np.array(hosts), ("processes",)), PartitionSpec("processes"))
    with jax.enable_x64(True):
        return jax.make_array_from_process_local_data(sharding, rows)


@contextlib.contextmanager
def first_alone() -> Iterator[None]:
    """The first process goes through the body of the `with` before the others do."""
    if index():
        gather(0)
    yield
    if not index():
        gather(0)


@contextlib.contextmanager
def ending(name: str, *told: type[Exception]) -> Iterator[None]:
    """Ends the process, with one line, for the errors `told` and when another process is lost.

    Args:
      name: of the script, before the line.
      told: errors whose text is meant for the person at the terminal.

    One of several processes ends at once, so that the others notice, which wait for it.
    """
    try:
        yield
    except Exception as error:  # whatever it is, the others wait for this process
        if not _is_joined():
            if isinstance(error, told):
                sys.exit(f"{name}: {error}")
            raise
        if isinstance(error, told):
            _leave(f"{name}: process {index()}: {error}")
        if _LOST.search(str(error)):
            reason = " ".join(str(error).split())[:200]
            _leave(
                f"{name}: process {index()} stops, for another one is gone ({reason}); start all again with --resume"
            )
        traceback.print_exc()
        _leave(f"{name}: process {index()} stops")
    except KeyboardInterrupt:
        if not _is_joined():
            raise
        _leave(f"{name}: process {index()} was interrupted")


def _join(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself
    method = "deactivate" if coordinator else None  # else JAX asks the launcher
    if not coordinator and "OMPI_COMM_WORLD_SIZE" in os.environ and "OMPI_MCA_orte_hnp_uri" not in os.environ:
        method = "mpi4py"  # Open MPI 5
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            cluster_detection_method=method,
            initialization_timeout=START_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        )
    except (ValueError, RuntimeError) as error:
        raise SettingError(f"the processes cannot find one another: {' '.join(str(error).split())[:300]}") from error
    if index():
        sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # libraries in C print there, too


def _is_joined() -> bool:
    return jax.distributed.is_initialized() and count() > 1


def _leave(text: str) -> None:
    """No clean-up: it would wait for the others, and they for this one."""
    print(text, file=sys.stderr, flush=True)
    sys.stdout.flush()
    if index() == 0:
        time.sleep(GOODBYE_SECONDS)
    os._exit(1)
