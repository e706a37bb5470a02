"""Demonstrations are what the pure function says, on disk too; splits never meet; noise is what it claims to be."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow_datasets as tfds

from curricula import demonstrations, pool, traces
from curricula.demonstrations import Demonstrations, Settings
from curricula.levels import Levels
from curricula.split import Split
from curricula.stream import Instance, Script, Stream, ask
from curricula.tasks import copying, recall, sorting
from curricula.vocabulary import Token, name

pytestmark = pytest.mark.slow

SPLITS: tuple[Split, ...] = ("train", "test")
VARIANTS: tuple[demonstrations.Variant, ...] = ("answer", "trace")
COPY, SORT = copying.copy(), sorting.sort()  # each compiled once for all tests
KEY = jax.random.key(0)


def prompts(batch: demonstrations.Example) -> list[bytes]:
    return [shown[:length].tobytes() for shown, length in zip(batch.shown, batch.length, strict=True)]


def assert_equal(one: demonstrations.Example, other: demonstrations.Example) -> None:
    for this, that in zip(one, other, strict=True):
        np.testing.assert_array_equal(this, that)
        assert this.dtype == that.dtype


def source(builder: tfds.core.DatasetBuilder, split: Split) -> Any:
    return builder.as_data_source(split)  # pyright: ignore[reportCallIssue]


def files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_read_back_is_what_the_pure_function_gives_and_no_tensorflow_is_needed(tmp_path, variant):
    settings = Settings(SORT, (0, 4), variant=variant, noise=0.2)
    builders = [
        Demonstrations(settings, num_train=7, num_test=3, seed=5, data_dir=tmp_path / folder) for folder in "ab"
    ]
    for builder in builders:
        builder.download_and_prepare()
    train = demonstrations.examples(settings, jax.random.key(5), 7, "train")
    test = demonstrations.examples(settings, jax.random.key(5), 3, "test")
    assert len(train.level) == 14 and len(test.level) == 6
    assert_equal(demonstrations.read(source(builders[0], "train")), train)
    elsewhere = tfds.builder_from_directory(builders[0].data_dir)
    assert_equal(demonstrations.read(source(elsewhere, "test")), test)
    first, second = (files(tmp_path / folder) for folder in "ab")
    assert first == second
    assert sum("array_record" in path.name for path in first) == 2
    assert not any(module.partition(".")[0] == "tensorflow" for module in sys.modules)


def test_different_settings_lie_in_different_folders(tmp_path):
    def folder(num_train=4, seed=0, task=COPY, **settings: Any):
        data = Demonstrations(Settings(task, **settings), num_train=num_train, num_test=2, seed=seed, data_dir=tmp_path)
        return str(data.data_dir)

    longer = dataclasses.replace(COPY, levels=dataclasses.replace(COPY.levels, train=COPY.levels.train[:3]))
    folders = [
        folder(),
        folder(num_train=5),
        folder(seed=1),
        folder(levels=(0, 1, 2)),
        folder(levels=(0, 1, 2), task=longer),
        folder(variant="trace"),
        folder(noise=0.1),
        folder(regime="fixed"),
    ]
    assert len(set(folders)) == len(folders)
    assert folder() == folders[0]


def test_an_example_is_a_script_of_its_level_that_the_expert_plays():
    batch = demonstrations.examples(Settings(COPY, (5, 0)), KEY, 3)
    np.testing.assert_array_equal(batch.level, [5, 5, 5, 0, 0, 0])
    np.testing.assert_array_equal(batch.length, 2 * np.array([7, 7, 7, 2, 2, 2]))
    for shown, asked, length in zip(batch.shown, batch.asked, batch.length, strict=True):
        half = length // 2
        np.testing.assert_array_equal(asked[half:length], shown[:half])
        assert shown[half] == Token.ANSWER and (shown[:half] >= Token.ANSWER).all()
        assert not asked[:half].any() and not asked[length:].any() and not shown[half + 1 :].any()
    assert not batch.is_noise.any()


def test_levels_are_all_training_levels_and_more_examples_begin_as_fewer_do():
    few = demonstrations.examples(Settings(COPY), KEY, 2)
    assert few.level.tolist() == [level for level in range(COPY.levels.num_train) for _ in range(2)]
    more = demonstrations.examples(Settings(COPY, noise=0.3), KEY, 600)  # more than are drawn at once
    spoilt = demonstrations.examples(Settings(COPY, noise=0.3), KEY, 2)
    is_first = np.arange(len(more.level)) % 600 < 2
    assert_equal(demonstrations.Example(*(column[is_first] for column in more)), spoilt)
    assert prompts(few) == prompts(spoilt)
    assert prompts(few) != prompts(demonstrations.examples(Settings(COPY), jax.random.key(1), 2))


def test_splits_share_no_instance_and_a_fixed_set_repeats_none():
    fresh = Settings(COPY, (0,))
    train, test = (prompts(demonstrations.examples(fresh, KEY, 400, split)) for split in SPLITS)
    assert not set(train) & set(test)
    assert len(set(train) | set(test)) == 64  # all words of two symbols out of eight
    fixed = dataclasses.replace(fresh, regime="fixed")
    for split, words in zip(SPLITS, (set(train), set(test)), strict=True):
        every = prompts(demonstrations.examples(fixed, KEY, len(words), split))
        assert sorted(every) == sorted(words)
        message = f"copy, level 0 has too few different instances to {split} on: {len(words)} were found"
        with pytest.raises(ValueError, match=message):
            demonstrations.examples(fixed, KEY, len(words) + 1, split)


def test_a_level_without_an_instance_for_one_of_the_splits_is_refused():
    def write(key, knobs):
        word = jnp.full(2, COPY.answers[0])
        return ask(word, knobs.length, word, knobs.length)

    task = Stream("same", Levels((copying.Knobs(1, 1), copying.Knobs(2, 1))), write, 4, COPY.answers)
    found = set()
    for split in SPLITS:
        try:
            demonstrations.examples(Settings(task, (1,)), KEY, 2, split)
        except ValueError as error:
            assert f"same, level 1 has too few instances to {split} on: 0 were found, 2 asked for" in str(error)
            found.add(split)
    assert len(found) == 1


def test_a_share_of_the_tokens_is_replaced_by_other_legal_ones_all_equally_likely():
    clean, noisy = (
        demonstrations.examples(Settings(SORT, (2,), "trace", noise), KEY, 600, room=60) for noise in (0.0, 0.25)
    )
    is_target = clean.asked != Token.PAD
    np.testing.assert_array_equal(noisy.shown, clean.shown)
    np.testing.assert_array_equal(noisy.asked != clean.asked, noisy.is_noise)  # never the right token by chance
    assert (noisy.asked[is_target] != Token.PAD).all() and not noisy.is_noise[~is_target].any()
    num = is_target.sum()
    assert abs(noisy.is_noise.sum() - 0.25 * num) < 4 * np.sqrt(0.25 * 0.75 * num)
    legal = set(SORT.answers) | {Token.ANSWER, Token.BLANK}
    assert set(noisy.asked[noisy.is_noise].tolist()) == legal
    for right in (int(Token.BLANK), SORT.answers[0]):
        others = noisy.asked[noisy.is_noise & (clean.asked == right)]
        expected = len(others) / (len(legal) - 1)
        counts = np.array([(others == token).sum() for token in legal - {right}])
        assert (abs(counts - expected) < 5 * np.sqrt(expected)).all()
    always = Settings(SORT, (2,), noise=1.0)
    assert demonstrations.examples(always, KEY, 5).is_noise.sum() == 5 * 5
    assert not demonstrations.examples(always, KEY, 5, "test").is_noise.any()


def test_a_traced_script_shows_the_prompt_and_asks_for_steps_then_answer():
    answer, trace = (demonstrations.examples(Settings(SORT, (0,), variant), KEY, 20) for variant in VARIANTS)
    for i in range(20):
        prompt = [name(int(token)) for token in answer.shown[i][:3]]
        steps = [prompt[0], "BLANK", *sorted(prompt[:2]), "BLANK", *sorted(prompt), "BLANK"]
        said = [name(int(token)) for token in trace.asked[i][: trace.length[i]]]
        assert said == [".", ".", ".", *steps, "ANSWER", *sorted(prompt)]
        assert [name(int(token)) for token in trace.shown[i]] == [*prompt, "ANSWER", *"." * 12]


def test_a_traced_script_can_be_played_as_any_other():
    batch = demonstrations.examples(Settings(SORT, (0,), "trace"), KEY, 4)
    task = dataclasses.replace(SORT, answers=traces.says(SORT))
    rows = pool.from_instances(task, Instance(Script(*map(jnp.asarray, batch[1:4])), jnp.asarray(batch.level)))
    episode, earned = rows.at(jnp.int32(2)), 0.0
    while episode.discount:
        assert rows.legal_actions(episode)[rows.expert(episode)]
        episode = rows.step(episode, rows.expert(episode))
        earned += float(episode.reward)
    assert rows.is_solved(episode) and earned == pytest.approx(1)


def test_a_data_set_is_stacked_with_the_room_that_is_asked_for():
    batch = demonstrations.examples(Settings(COPY, (0,)), KEY, 2)
    wide = demonstrations.examples(Settings(COPY, (0,)), KEY, 2, room=9)
    assert batch.shown.shape == (2, 4) and wide.shown.shape == (2, 9)
    assert not wide.shown[:, 4:].any()
    with pytest.raises(ValueError, match="room for 3 steps is too small: the longest example has 4"):
        demonstrations.examples(Settings(COPY, (0,)), KEY, 2, room=3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "proof"}, "variant must be answer or trace, got 'proof'"),
        ({"regime": "stale"}, "regime must be fresh or fixed, got 'stale'"),
        ({"noise": 1.5}, "noise must be from 0 to 1, got 1.5"),
        ({"noise": float("nan")}, "noise must be from 0 to 1, got nan"),
        ({"levels": (0, 12)}, "a level must be from 0 to 11, got 12"),
        ({"levels": (-1,)}, "a level must be from 0 to 11, got -1"),
        ({"levels": (1, 2, 1)}, "levels must be different"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(COPY, **settings)


def test_what_is_no_stream_task_is_refused():
    with pytest.raises(ValueError, match="only stream tasks are demonstrated, got 'copy'"):
        Settings("copy")  # pyright: ignore[reportArgumentType]


def test_bad_numbers_and_splits_are_refused_before_anything_is_made(tmp_path):
    for num in (0, -3, 2.0):
        with pytest.raises(ValueError, match=f"num must be a whole number of at least 1, got {num}"):
            demonstrations.examples(Settings(COPY), KEY, num)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="num must be"):
        Demonstrations(Settings(COPY), num_train=5, num_test=0, data_dir=tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="split must be train or test, got 'dev'"):
        demonstrations.examples(Settings(COPY), KEY, 1, "dev")  # pyright: ignore[reportArgumentType]


def test_a_trace_of_a_task_without_one_is_refused_by_its_name():
    with pytest.raises(ValueError, match="associative_recall has no trace; tasks that have one are addition, "):
        Settings(recall.associative_recall(), variant="trace")
