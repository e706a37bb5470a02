"""A task behind gymnasium's vector API does what gymnasium's own vector environment makes of `Stream.step`."""

import functools

import jax
import numpy as np
import pytest

from curricula.stream import Instance, Script
from curricula.tasks import copying
from curricula.vocabulary import FIRST_SYMBOL, NUM_TOKENS, Token

pytestmark = pytest.mark.slow

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is optional: pip install 'reward-pretraining[peers]'")
env_checker = pytest.importorskip("gymnasium.utils.env_checker")
wrappers = pytest.importorskip("gymnasium.wrappers.vector")
TaskVectorEnv = pytest.importorskip("curricula.gymnasium_api").TaskVectorEnv

NUM_ENVS = 5
TASK = copying.reverse()
LEVEL = 2
LENGTH = TASK.levels.rows[LEVEL].length
STEP, OBSERVE, IS_SOLVED = jax.jit(TASK.step), jax.jit(TASK.observe), jax.jit(TASK.is_solved)


class Single(gymnasium.Env):
    """`Stream` as an ordinary environment that plays given instances one after the other."""

    observation_space = gymnasium.spaces.MultiDiscrete([NUM_TOKENS, NUM_TOKENS], dtype=np.int32)
    action_space = gymnasium.spaces.Discrete(NUM_TOKENS)

    def __init__(self, instances: list[Instance]):
        self.waiting = list(instances)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = TASK.reset(self.waiting.pop(0))
        return np.asarray(OBSERVE(self.state)), {}

    def step(self, action):
        self.state = STEP(self.state, np.int32(action))
        is_over = bool(self.state.discount == 0)
        info = {"success": bool(IS_SOLVED(self.state))} if is_over else {}
        return np.asarray(OBSERVE(self.state)), np.float32(self.state.reward), is_over, False, info


def instance(prompt: list[int]) -> Instance:
    """The instance of `reverse` for a prompt of tokens, written from the task's definition."""
    n, room = len(prompt), TASK.max_steps
    shown = [*prompt, Token.ANSWER] + [Token.PAD] * (room - n - 1)
    asked = [Token.PAD] * n + prompt[::-1] + [Token.PAD] * (room - 2 * n)
    return Instance(Script(np.int8(shown), np.int8(asked), np.int32(2 * n)), np.int32(n - 2))


def good_actions(seen: np.ndarray, memory: list, episodes: list, chance: np.random.Generator) -> np.ndarray:
    """What `reverse` asks for, by what was shown; one action in ten at random. Takes down what is shown."""
    actions = np.full(len(seen), Token.PAD)
    for i, (shown, _) in enumerate(seen):
        if shown >= FIRST_SYMBOL:
            memory[i].append(int(shown))
            episodes[i][-1].append(int(shown))
        elif memory[i]:
            actions[i] = memory[i].pop()
    is_slip = chance.random(len(seen)) < 0.1
    return np.where(is_slip, chance.integers(0, NUM_TOKENS, len(seen)), actions)


def play(envs, num_steps: int, level: int | None = None):
    """Actions, results of `reset` and the steps, and the prompts of each environment's episodes as far as shown."""
    chance = np.random.default_rng(0)
    seen, infos = envs.reset(seed=3, options=None if level is None else {"level": level})
    results, actions, memory = [(seen, infos)], [], [[] for _ in seen]
    episodes = [[[]] for _ in seen]
    for _ in range(num_steps):
        actions.append(good_actions(seen, memory, episodes, chance))
        results.append(envs.step(actions[-1]))
        seen, _, is_over, _, _ = results[-1]
        for i in np.flatnonzero(is_over):
            memory[i] = []
            episodes[i].append([])
    good_actions(seen, memory, episodes, chance)  # takes the last ones down
    return actions, results, episodes


@pytest.fixture(scope="module")
def played():
    """150 steps through many pools, on one level so that a prompt broken off can be filled up."""
    envs = TaskVectorEnv(TASK, NUM_ENVS, instances_per_env=2)
    return play(envs, 150, LEVEL)


def test_every_step_is_what_gymnasium_makes_of_the_task(played):
    actions, results, episodes = played
    # symbols that were never shown cannot matter: the episode was over before
    scripts = [[instance((prompt + LENGTH * [FIRST_SYMBOL])[:LENGTH]) for prompt in prompts] for prompts in episodes]
    makers = [functools.partial(Single, each) for each in scripts]
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    assert TaskVectorEnv.metadata["autoreset_mode"] == mode
    reference = gymnasium.vector.SyncVectorEnv(makers, autoreset_mode=mode)
    theirs = [reference.reset(), *(reference.step(action) for action in actions)]
    np.testing.assert_array_equal(results[0][0], theirs[0][0])
    num_solved = 0
    for ours, peer in zip(results[1:], theirs[1:], strict=True):
        for a, b in zip(ours[:4], peer[:4], strict=True):
            np.testing.assert_array_equal(a, b)
        infos = dict(ours[4])
        success, has_success = infos.pop("success"), infos.pop("_success")
        assert env_checker.data_equivalence(infos, peer[4])
        np.testing.assert_array_equal(has_success, ours[2])
        np.testing.assert_array_equal(success, peer[4].get("final_info", {}).get("success", np.zeros(NUM_ENVS)))
        num_solved += int(np.sum(success))
    assert 0 < num_solved < sum(len(prompts) - 1 for prompts in episodes)


def test_no_instance_is_played_twice():
    level = next(i for i, knobs in enumerate(TASK.levels.rows) if (knobs.length, knobs.alphabet) == (8, 16))
    envs = TaskVectorEnv(TASK, NUM_ENVS, instances_per_env=3)
    _, _, episodes = play(envs, 400, level)
    whole = [tuple(prompt) for prompts in episodes for prompt in prompts if len(prompt) == 8]
    assert len(whole) > 6 * NUM_ENVS and len(set(whole)) == len(whole)


def test_arrays_are_of_the_spaces_and_the_caller_s_own(played):
    actions, results, _ = played
    envs = TaskVectorEnv(TASK, NUM_ENVS)
    assert actions[0] in envs.action_space and envs.action_space.shape == (NUM_ENVS,)
    for seen, *_ in results:
        assert seen in envs.observation_space and seen.flags.writeable
    seen, rewards, terminated, truncated, _ = results[1]
    assert (seen.dtype, rewards.dtype, terminated.dtype, truncated.dtype) == (np.int32, np.float32, bool, bool)


def test_its_single_form_passes_gymnasium_s_check():
    """Else the comparison above would be with something gymnasium does not vouch for."""
    env_checker.check_env(Single([instance([FIRST_SYMBOL] * 2)] * 50), skip_render_check=True)


def test_a_seed_decides_everything_and_none_goes_on():
    envs = TaskVectorEnv(TASK, NUM_ENVS)
    first = [envs.reset(seed=7)[0], envs.reset()[0]]
    again = [envs.reset(seed=7)[0], envs.reset()[0]]
    assert env_checker.data_equivalence(first, again)
    assert not np.array_equal(*first)
    assert not np.array_equal(envs.reset(seed=8)[0], first[0])


def test_a_level_holds_until_the_next_reset():
    envs = TaskVectorEnv(TASK, NUM_ENVS, instances_per_env=2)
    for level in (0, 4):
        _, _, episodes = play(envs, 60, level)
        assert max(len(prompt) for prompts in episodes for prompt in prompts) == TASK.levels.rows[level].length
    _, _, episodes = play(envs, 200)
    longest = max(len(prompt) for prompts in episodes for prompt in prompts)
    assert TASK.levels.rows[4].length < longest <= TASK.levels.train[-1].length


def test_gymnasium_s_wrappers_and_make_vec_take_it(recwarn):
    name = "test_curricula/reverse-v0"
    gymnasium.register(name, vector_entry_point=lambda num_envs: TaskVectorEnv(TASK, num_envs))
    try:
        envs = gymnasium.make_vec(name, NUM_ENVS, vectorization_mode="vector_entry_point")
    finally:
        del gymnasium.registry[name]
    envs = wrappers.DictInfoToList(wrappers.RecordEpisodeStatistics(envs))
    envs.reset(seed=0, options={"level": 0})
    _, rewards, is_over, _, infos = envs.step(np.full(NUM_ENVS, Token.ANSWER))
    assert is_over.all() and not rewards.any()
    for info in infos:
        assert info["episode"]["l"] == 1 and info["final_obs"].tolist() == [Token.PAD, Token.ANSWER]
        assert not info["success"] and not info["final_info"]["success"]
    assert not [warning for warning in recwarn if "autoreset" in str(warning.message).lower()]


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (np.zeros(4, int), [r"\(5,\)", r"\(4,\)"]),
        (np.zeros((5, 1), int), [r"\(5, 1\)"]),
        (0, [r"\(\)"]),
        (np.zeros(5), ["whole", "float64"]),
        (np.zeros(5, bool), ["whole", "bool"]),
        ([0, 0, NUM_TOKENS, 0, 0], [str(NUM_TOKENS - 1), f"got {NUM_TOKENS}"]),
        ([0, 0, 0, -1, 0], ["got -1"]),
    ],
)
def test_actions_that_cannot_be_are_named(actions, words):
    envs = TaskVectorEnv(TASK, NUM_ENVS)
    envs.reset(seed=0)
    for word in words:
        with pytest.raises(ValueError, match=word):
            envs.step(actions)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": TASK.levels.num_levels}, f"0 to {TASK.levels.num_levels - 1}, got {TASK.levels.num_levels}"),
        ({"level": -1}, f"0 to {TASK.levels.num_levels - 1}, got -1"),
        ({"level": 1.0}, "whole number, got 1.0"),
        ({"level": True}, "whole number, got True"),
        ({"level": "hard"}, "whole number, got 'hard'"),
        ({"level": [1, 2]}, "whole number"),
        ({"difficulty": 1}, "level, got 'difficulty'"),
    ],
)
def test_options_that_cannot_be_are_named(options, words):
    envs = TaskVectorEnv(TASK, NUM_ENVS)
    with pytest.raises(ValueError, match=words):
        envs.reset(options=options)


@pytest.mark.parametrize("arguments", [{"num_envs": 0}, {"num_envs": 2.0}, {"instances_per_env": 1}])
def test_sizes_that_cannot_be_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        TaskVectorEnv(TASK, **arguments)


def test_a_step_needs_an_open_environment_that_was_reset():
    envs = TaskVectorEnv(TASK, NUM_ENVS)
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.zeros(NUM_ENVS, int))
    envs.reset(seed=0)
    envs.close()
    for call in (envs.reset, lambda: envs.step(np.zeros(NUM_ENVS, int))):
        with pytest.raises(gymnasium.error.ClosedEnvironmentError, match="closed"):
            call()
