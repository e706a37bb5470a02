"""Several processes that train together: equal to one with as many devices, stopped by the death of one, resumed by
fewer.

Real processes on this machine, with CPU collectives.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import scripts
import yaml

from rl_pretrain import checkpoint, learner, processes
from rl_pretrain.settings import SettingError

NUM_GAMES = 12
LOOP = """
    import os, signal, sys
    import jax, numpy as np
    from rl_pretrain import checkpoint, devices, interrupt, processes, shares

    AXES = {"weights": shares.SAME, "games": 1, "key": shares.WHOLE}

    def main():
        directory, last, victim = processes.start(sys.argv[1:])
        pool = devices.use(1)
        me, mine = processes.index(), len(devices.local(pool))

        def step(weights, games):
            return weights + jax.lax.pmean(games.astype(np.float32).mean(), devices.AXIS), games + 1

        on_all = jax.pmap(step, axis_name=devices.AXIS, devices=pool)
        games = np.arange(12).reshape(len(pool), -1)[me * mine : (me + 1) * mine]
        tree = {
            "weights": devices.replicate(np.float32(0), pool),
            "games": devices.shard(games, pool),
            "key": jax.random.key(3),
        }
        done = 0
        with checkpoint.open_run(directory, {}, {}, resume=os.path.exists(directory), axes=AXES) as run:
            if run.latest_step is not None:
                done, tree, _ = checkpoint.restore(run, tree)
                print("restored", done, flush=True)
            with interrupt.catch_signals() as stop:
                for i in range(done, int(last)):
                    tree["weights"], tree["games"] = on_all(tree["weights"], tree["games"])
                    if i + 1 == 5 and me == int(victim):
                        os.kill(os.getpid(), signal.SIGKILL)
                    print("step", i + 1, flush=True)
                    is_stopping = any(processes.gather(stop.requested))
                    if is_stopping or (i + 1) % 2 == 0:
                        checkpoint.save(run, i + 1, tree)
                    if is_stopping:
                        return
        print("end", float(tree["weights"][0]), processes.whole(tree["games"]).ravel().tolist())

    with processes.ending("loop.py", checkpoint.RunError):
        main()
"""


def free_port():
    with contextlib.closing(socket.socket()) as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def start(place, num_processes, command, environment=None):
    """The processes, started as a person would without a launcher. What each prints is in a file of its own."""
    coordinator = f"--coordinator=localhost:{free_port()}"
    place.mkdir(exist_ok=True)
    started = []
    for i in range(num_processes):
        flags = [coordinator, f"--num-processes={num_processes}", f"--process-id={i}"]
        with open(place / f"out{i}", "w") as out, open(place / f"err{i}", "w") as err:
            started.append(subprocess.Popen([*command, *flags], cwd=place, env=environment, stdout=out, stderr=err))
    return started


def wait(started, timeout=550):
    """The exit status of each."""
    deadline = time.monotonic() + timeout
    try:
        return [process.wait(max(1, deadline - time.monotonic())) for process in started]
    finally:
        for process in started:
            process.kill()


def finish(started, place):
    """What the first one printed; fails with what all said where one did not end well."""
    status = wait(started)
    assert status == [0] * len(started), [(place / f"err{i}").read_text() for i in range(len(started))]
    return (place / "out0").read_text()


def wait_for(line, place, timeout=300):
    deadline = time.monotonic() + timeout
    while line not in (place / "out0").read_text():
        assert time.monotonic() < deadline, (place / "err0").read_text()
        time.sleep(0.1)


def loop(place, num_processes, last=9, victim=-1):
    """A loop as small as can be, on so many processes."""
    place.mkdir(exist_ok=True)
    (place / "loop.py").write_text(textwrap.dedent(LOOP))
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}
    return start(place, num_processes, [sys.executable, "loop.py", "run", str(last), str(victim)], environment)


def expected_end(num_steps):
    """The loop in plain Python: games count up, the weight adds up their mean."""
    weight, games = 0.0, list(range(NUM_GAMES))
    for _ in range(num_steps):
        weight += sum(games) / NUM_GAMES
        games = [game + 1 for game in games]
    return f"end {weight} {games}"


@pytest.mark.slow
@pytest.mark.parametrize("victim", [1, 0])
def test_when_one_of_four_is_killed_the_others_stop_and_two_go_on(tmp_path, victim):
    started = loop(tmp_path, 4, victim=victim)
    status = wait(started, timeout=120)
    assert status.pop(victim) == -signal.SIGKILL
    assert all(code not in (0, -signal.SIGKILL) for code in status), status
    errors = [(tmp_path / f"err{i}").read_text() for i in range(4) if i != victim]
    for error in errors:  # JAX may notice first that the first process is gone, and ends the others in its own words
        assert ("another one is gone" in error and "--resume" in error) or "another task died" in error, error
    assert all(not (tmp_path / f"out{i}").read_text() for i in (1, 2, 3)), "one speaks for all"
    out = finish(loop(tmp_path, 2), tmp_path)
    assert re.search(r"restored [24]\n", out), "the last one may have been under way"
    assert expected_end(9) in out


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_by_all(tmp_path):
    finish(loop(tmp_path, 2, last=5), tmp_path)
    for path in (tmp_path / "run" / "checkpoints" / "4" / "arrays" / "d").iterdir():
        os.truncate(path, path.stat().st_size // 2)
    out = finish(loop(tmp_path, 2), tmp_path)
    assert "restored 2" in out and expected_end(9) in out
    assert "using checkpoint 2 instead" in (tmp_path / "err0").read_text()


@pytest.mark.slow
def test_one_process_goes_on_where_two_were_stopped_by_a_signal_to_one(tmp_path):
    started = loop(tmp_path, 2, last=10**6)
    wait_for("step 20\n", tmp_path)
    os.kill(started[1].pid, signal.SIGTERM)
    finish(started, tmp_path)
    step = max(checkpoint.steps(tmp_path / "run"))
    assert expected_end(step + 1) in finish(loop(tmp_path, 1, last=step + 1), tmp_path)


@pytest.mark.slow
def test_under_slurm_they_find_one_another(tmp_path):
    (tmp_path / "loop.py").write_text(textwrap.dedent(LOOP))
    started = []
    for i in range(2):
        step = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
        step |= {"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i), "JAX_PLATFORMS": "cpu"}
        environment = {**os.environ, **step, "PYTHONPATH": str(Path(__file__).parents[1])}
        with open(tmp_path / f"out{i}", "w") as out, open(tmp_path / f"err{i}", "w") as err:
            command = [sys.executable, "loop.py", "run", "3", "-1"]
            started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=err))
    assert expected_end(3) in finish(started, tmp_path)


@pytest.mark.slow
def test_a_directory_in_use_stops_all(tmp_path):
    with checkpoint.open_run(tmp_path / "run", {}, {}):
        assert 0 not in wait(loop(tmp_path, 2), timeout=120)
    assert "in use" in (tmp_path / "err0").read_text()


TINY = ("--preset=tiny", "--final-matches=1")
RUN = "runs/go_9x9/tiny"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def go(cache, place, num_processes, *arguments):
    command = scripts.command("go_9x9", *TINY, "--devices=1", *arguments)
    return start(place, num_processes, command, scripts.environment(cache))


def assert_close(one, other):
    """Gradients are summed in another order."""
    steps, weights = [], []
    for place in (one, other):
        loaded = checkpoint.load(place / RUN)
        steps.append(loaded.step)
        weights.append(loaded.arrays["train"]["params"])
    assert steps[0] == steps[1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), *weights)


def losses(place):
    rows = [json.loads(line) for line in (place / RUN / "metrics.jsonl").read_text().splitlines()]
    return [[row[name] for name in ("iteration", "policy_loss", "value_loss", "games", "flops")] for row in rows]


@pytest.mark.slow
def test_go_on_four_devices_goes_on_on_two(tmp_path, monkeypatch):
    """Without playing: what is restored has the games of four devices, two shares on each."""
    monkeypatch.chdir(tmp_path)
    go_9x9 = scripts.load("go_9x9")
    four, two = [go_9x9.parse([*TINY, f"--devices={number}", "--resume"]) for number in (4, 2)]
    setup = go_9x9.prepare(four)
    saved = go_9x9.begin(four, setup)
    with go_9x9.open_run(four, 4) as run:
        go_9x9.save(run, 2, saved, go_9x9.inherited(setup))
    setup = go_9x9.prepare(two)
    with go_9x9.open_run(two, 2) as run:
        restored, _, done = go_9x9.restore(run, go_9x9.begin(two, setup)._replace(key=jax.random.key(9)))
    assert done == 2
    before, after = [np.asarray(everything.games.states.legal).reshape(16, -1) for everything in (saved, restored)]
    np.testing.assert_array_equal(before, after)
    assert restored.replay.reward.shape == (2, 60, 8)
    params = [jax.tree.map(lambda x: np.asarray(x[:2]), everything.train) for everything in (saved, restored)]
    jax.tree.map(np.testing.assert_array_equal, *params)
    assert (jax.random.key_data(restored.key) == jax.random.key_data(saved.key)).all()


@pytest.fixture(scope="module")
def alone(cache, tmp_path_factory):
    """One process with four devices."""
    place = tmp_path_factory.mktemp("alone")
    finished = scripts.run(cache, place, "go_9x9", *TINY, "--devices=4")
    assert finished.returncode == 0, finished.stderr
    return place


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_four_processes_learn_what_one_with_four_devices_does(alone, cache, tmp_path):
    out = finish(go(cache, tmp_path, 4), tmp_path)
    assert "4 virtual CPU devices" in out and "in 4 processes" in out
    assert_close(tmp_path, alone)
    np.testing.assert_allclose(losses(tmp_path), losses(alone), rtol=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_go_resumes_on_two_processes_after_one_of_four_was_killed(alone, cache, tmp_path):
    started = go(cache, tmp_path, 4, "--eval-every=6")
    wait_for("iteration 3/", tmp_path, timeout=600)
    started[1].kill()
    assert 0 not in wait(started, timeout=120)
    before = losses(tmp_path)[:2]
    finish(go(cache, tmp_path, 2, "--eval-every=6", "--resume"), tmp_path)
    np.testing.assert_allclose(losses(tmp_path)[:2], before)
    np.testing.assert_allclose(before, losses(alone)[:2], rtol=1e-3)
    assert [row[0] for row in losses(tmp_path)] == [1, 2, 3, 4, 5, 6]


CLUSTER = scripts.EXPERIMENTS / "cluster"
FLAGS = ("--coordinator", "--process-id", "--num-processes")
COLLECTIVES = {"psum", "psum_invariant", "pmax", "pmin", "all_gather", "all_to_all", "ppermute", "reduce_scatter"}


def numbers_sent(program):
    """How many numbers each device gives to collectives in one call of a program."""
    total = 0
    for equation in program.eqns:
        if equation.primitive.name in COLLECTIVES:
            total += sum(operand.aval.size for operand in equation.invars)
        repeats = equation.params["length"] if equation.primitive.name == "scan" else 1
        inner = [getattr(value, "jaxpr", value) for value in jax.tree.leaves(list(equation.params.values()))]
        total += repeats * sum(numbers_sent(value) for value in inner if hasattr(value, "eqns"))
    return total


def test_devices_tell_one_another_gradients_and_a_few_sums_and_nothing_else():
    go_9x9 = scripts.load("go_9x9")
    config = go_9x9.parse(["--preset=tiny", "--devices=2"])
    setup = go_9x9.prepare(config)
    observation = np.zeros((1, *config.env.observation_shape), np.float32)

    def state(key):
        return learner.init(setup.optimizer, setup.network.init(key, observation))

    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2))
    train = jax.eval_shape(jax.vmap(state), keys)
    weights = train.average
    games, replay = jax.eval_shape(setup.steps.begin, keys, weights)
    num_weights = sum(leaf.size for leaf in jax.tree.leaves(weights)) // 2
    learn = jax.make_jaxpr(setup.steps.learn)(keys, train, replay, weights)
    play = jax.make_jaxpr(setup.steps.play)(keys, weights, games, replay)
    match = jax.make_jaxpr(setup.steps.match)(keys, weights, weights)
    assert num_weights <= numbers_sent(learn.jaxpr) <= num_weights + 20
    assert 0 < numbers_sent(play.jaxpr) <= 20 and numbers_sent(match.jaxpr) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--coordinator=host:1"], "go together"),
        (["--process-id=0", "--num-processes=2"], "go together"),
        (["--coordinator=host", "--process-id=0", "--num-processes=2"], "HOST:PORT, got host"),
        (["--coordinator=host:1", "--process-id=2", "--num-processes=2"], "0 to 1 for 2 processes, got 2"),
    ],
)
def test_flags_that_do_not_go_together_are_named(arguments, words):
    with pytest.raises(SettingError, match=words):
        processes.start(arguments)


def test_the_manifest_starts_as_many_processes_as_it_tells_them():
    service, job = yaml.safe_load_all((CLUSTER / "go_9x9.yaml").read_text())
    container = job["spec"]["template"]["spec"]["containers"][0]
    name, gpus = job["metadata"]["name"], container["resources"]["limits"]["nvidia.com/gpu"]
    command = container["command"]
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["selector"] == {"job-name": name}
    assert job["spec"]["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"]
    assert f"--num-processes={job['spec']['completions']}" in command and f"--devices={gpus}" in command
    assert f"--coordinator={name}-0.{service['metadata']['name']}:1234" in command
    settings = [flag for flag in command[2:] if flag.split("=")[0] not in FLAGS]
    assert scripts.load("go_9x9").parse(settings).resume


def test_the_batch_script_is_a_script_with_a_task_for_each_gpu():
    path = CLUSTER / "go_9x9.sbatch"
    subprocess.run(["bash", "-n", path], check=True)
    wanted = dict(
        line.removeprefix("#SBATCH --").split("=", 1) for line in path.read_text().split("\n") if "#SB" in line
    )
    assert wanted["ntasks-per-node"] == wanted["gpus-per-node"]
    (started,) = [line for line in path.read_text().split("\n") if line.startswith("srun")]
    assert scripts.load("go_9x9").parse(shlex.split(started)[4:-1]).devices == 1


def test_one_process_is_left_alone():
    alone = ["--coordinator=host:1", "--process-id=0", "--num-processes=1"]
    assert processes.start([*alone, "--seed=3"]) == ["--seed=3"]
    assert not jax.distributed.is_initialized()
    assert processes.gather(3) == [3] and processes.count() == 1


def test_launchers_are_known_by_what_they_set():
    step = {"SLURM_STEP_NODELIST": "node[1-2]", "SLURM_NTASKS": "2"}
    assert processes.is_launched(step) and processes.is_launched({"OMPI_COMM_WORLD_SIZE": "4"})
    assert not processes.is_launched({})
    assert not processes.is_launched({"SLURM_NTASKS": "2"}), "the batch script itself, not a step of it"
    assert not processes.is_launched(step | {"SLURM_NTASKS": "1"})
