"""What strangers wrote is read, or refused in one line; nothing of it is executed, few bytes cannot fill the memory.

Every parser gets inputs that Hypothesis makes up, few of each in every run and many among the slow tests (FUZZ_INPUTS
says how many); how many is printed at the end. Meanwhile an audit hook of Python's own watches: no code runs that is
not installed, no process is started, nothing is unpickled, no address is called, and no file is written outside of the
test's folder.

Fuzzed elsewhere: SGF in test_go_sgf.py (11,000 texts, and 100,000 among the slow tests), GTP commands in test_go_gtp.py
(21,000 lines), Go diagrams by what is written being read back in test_go_text.py.
"""

import collections
import contextlib
import functools
import gzip
import io
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import scripts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esolang import befunge_reference, brainfuck_reference, paper_problems, python_subset
from esolang.llm import endpoint, extraction, samples, scores, verdicts
from esolang.llm.languages.befunge import befunge
from esolang.llm.languages.brainfuck import brainfuck, renamed
from esolang.llm.languages.python import python
from go_env import game_files, games, gtp_client, sgf, sgf_syntax, text
from go_env.gtp_syntax import CommandError, read_number
from rl_pretrain import checkpoint, checkpoint_file, data_set, json_file, metrics, run_directory
from rl_pretrain.run_directory import RunError
from rl_pretrain.settings import SettingError

FEW, MANY = 150, int(os.environ.get("FUZZ_INPUTS", "5000"))
FUZZ = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
tried: collections.Counter[str] = collections.Counter()


@pytest.fixture(scope="module", autouse=True)
def report(request):
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        counts = ", ".join(f"{name} {num:,}" for name, num in tried.items())
        print(f"\n{tried.total():,} inputs tried: {counts}")


# What must not happen


INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
OURS = str(Path(__file__).parents[1])
FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "subprocess.Popen")
FORBIDDEN += (
    "pickle.find_class",
    "socket.connect",
    "socket.bind",
    "ctypes.dlopen",
    "os.remove",
    "os.symlink",
    "os.link",
)


class Watch:
    """Notes what Python does, by its audit events, while `place` is set. A hook stays as long as the process."""

    def __init__(self):
        self.place: Path | None = None
        self.seen: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple) -> None:
        if self.place is not None and self.is_forbidden(event, arguments):
            self.seen.append(f"{event} {str(arguments)[:200]}")

    def is_forbidden(self, event: str, arguments: tuple) -> bool:
        if event == "exec":  # importing a charset, say, executes installed code
            return not arguments[0].co_filename.startswith((*INSTALLED, OURS, "<frozen"))
        if event == "open":
            path, mode, flags = arguments
            is_written = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or set(mode or "") & set("wax+")
            return bool(is_written) and not self.is_inside(path)
        return event in FORBIDDEN and not (event == "os.remove" and self.is_inside(arguments[0]))

    def is_inside(self, path: Any) -> bool:
        return os.path.abspath(str(path)).startswith((f"{self.place}/", "/dev/"))

    @contextlib.contextmanager
    def over(self, place: Path):
        self.place, self.seen = place, []
        try:
            yield
        finally:
            self.place = None
        assert self.seen == []


@functools.cache
def watch() -> Watch:
    return Watch()


@pytest.mark.parametrize(
    "act",
    [
        lambda place: exec("1"),
        lambda place: pickle.loads(pickle.dumps(collections.Counter)),
        lambda place: subprocess.run(["true"]),
        lambda place: (place.parent / f"{place.name} outside").write_text("x"),
        lambda place: socket.create_connection(("127.0.0.1", 9)),
    ],
    ids=["code", "pickle", "process", "file", "address"],
)
def test_what_must_not_happen_is_noticed(tmp_path, act):
    with pytest.raises(AssertionError), watch().over(tmp_path), contextlib.suppress(OSError):
        act(tmp_path)
    with watch().over(tmp_path):
        (tmp_path / "inside").write_text("x")


def fuzz(inputs, few=FEW, many=MANY):
    """Makes a test of inputs out of a check of one input in a folder."""

    def of(check):
        @pytest.mark.parametrize("num", [few, pytest.param(many, marks=pytest.mark.slow)])
        @pytest.mark.timeout(3600)
        def test(num, tmp_path):
            @settings(max_examples=num, **FUZZ)
            @given(inputs)
            def on_all(value):
                tried[check.__name__.removeprefix("test_")] += 1
                with watch().over(tmp_path):
                    check(value, tmp_path)

            on_all()

        test.__doc__ = check.__doc__
        return test

    return of


def check_line(error: Exception | str, longest: int = 3000) -> None:
    """An error is one line that can be printed anywhere."""
    assert 0 < len(str(error)) <= longest and str(error).isprintable(), repr(str(error))


ANY = st.characters(exclude_categories=())  # with halves of characters, which no file can hold
TEXTS = st.text(ANY, max_size=40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(ANY, max_size=6)
SCALARS |= st.sampled_from([10**400, -1, 2**63, "NaN", "Infinity", "\x1b[2J", "\n", "../x", 1e400])


def json_of(*names: str):
    """JSON values, with these keys among others."""
    keys = st.sampled_from(names) | st.text(ANY, max_size=4)
    return st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=15
    )


@st.composite
def spoilt(draw, original: Any, pieces=()) -> Any:
    """A text, or bytes, with up to four places changed."""
    for _ in range(draw(st.integers(0, 4))):
        at, dropped = draw(st.integers(0, len(original))), draw(st.sampled_from([0, 0, 1, 2, 9, 10**6]))
        any_piece = st.binary(max_size=4) if isinstance(original, bytes) else st.text(ANY, max_size=4)
        piece = draw(st.sampled_from(pieces) | any_piece if pieces else any_piece)
        original = original[:at] + piece + original[at + dropped :]
    return original


def write_text(path: Path, content: str) -> Path:
    path.write_bytes(content.encode(errors="surrogatepass"))
    return path


# Go


DIAGRAM = text.to_text(np.eye(5, dtype=np.int8), 12)
PIECES = ["X", "O", ".", " ", "\n", "(", ")", "A B C", "10", "٣", "\x85", "\0"]


@fuzz(spoilt(DIAGRAM, PIECES) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | TEXTS)
def test_diagrams(diagram, place):
    try:
        board = text.from_text(diagram)
    except ValueError as error:
        check_line(error)
    else:
        assert board.dtype == np.int8 and board.ndim == 2 and 2 <= len(board) == board.shape[1] <= 19


@fuzz(TEXTS | st.from_regex(r"\A[A-Za-z]?[0-9]*\Z") | st.from_regex(r"\A[+-]?[0-9.]*([eE][+-]?[0-9]*)?\Z"))
def test_words_of_gtp_and_of_records(word, place):
    with contextlib.suppress(ValueError):
        assert 0 <= text.action(word, 9) <= 81
    with contextlib.suppress(CommandError):
        assert np.isfinite(read_number(word))
    assert isinstance(games.rating(word), float)
    assert str(sgf.parse_result(word))


ANSWERS = ["=1 ", "=", "?1 no", "=1", "1", "A1", "\n", "\n\n", "\r\n", "\0", "\x1b[2J", "=2 x\n\n", " ", "# x", "\xff"]


SAYINGS = st.lists(st.sampled_from(ANSWERS) | TEXTS, max_size=12).map("".join)


@fuzz(st.builds("{}{}\n\n".format, st.sampled_from(["", "=1 ", "?1 "]), SAYINGS), few=40, many=MANY // 10)
def test_what_engines_answer(said, place):
    """The engine is `cat`."""
    path = write_text(place / "said", said)
    watch().place = None  # an engine is a process
    client = gtp_client.Client(["cat", path], timeout=20)
    watch().place = place
    try:
        assert isinstance(client.send("name"), str)
    except (gtp_client.EngineError, gtp_client.CommandFailedError) as error:
        check_line(error)
    finally:
        client.close()
        os.unlink(path)


NAMES = [
    "a.sgf",
    "b/c.sgf",
    "../../up.sgf",
    "/etc/root.sgf",
    "d.SGF",
    "no.txt",
    "e\n\x1b[2J.sgf",
    "",
    ".sgf",
    "f" * 300,
]
GAME = "(;FF[4]GM[1]SZ[9]KM[6.5]RE[B+2]PB[x];B[ee];W[cc])\n"
CONTENTS = spoilt(GAME * 2, ["(;FF[4]", ")", "\n", "SZ[9]", ";B[zz]", "CA[gbk]"]).map(
    lambda content: content.encode(errors="surrogatepass")
)
KINDS = [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE]
KINDS += [tarfile.DIRTYPE, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, b"?"]


@st.composite
def zips(draw) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name twice
        for name, content in draw(st.lists(st.tuples(st.sampled_from(NAMES), CONTENTS), max_size=4)):
            packing = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]))
            archive.writestr(zipfile.ZipInfo(name) if name else "x", content, packing)
    return draw(spoilt(data.getvalue(), [b"PK\x01\x02", b"PK\x05\x06", b"\xff" * 8]))


@st.composite
def tars(draw) -> bytes:
    data = io.BytesIO()
    form = draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    with tarfile.open(fileobj=data, mode="w", format=form) as archive:
        for name, content in draw(st.lists(st.tuples(st.sampled_from(NAMES), CONTENTS), max_size=4)):
            member = tarfile.TarInfo(name)
            member.type = draw(st.sampled_from([tarfile.REGTYPE] * 5 + KINDS))
            member.linkname = draw(st.sampled_from(["", "/etc/passwd", "a.sgf", "../x.sgf"]))
            member.size = draw(st.sampled_from([len(content)] * 4 + [0, -512, 1, 10**6, 2**40]))
            archive.addfile(member)
            archive.fileobj.write(content + b"\0" * (-len(content) % 512))  # pyright: ignore[reportOptionalMemberAccess]
            archive.offset += len(content) + -len(content) % 512
    whole = draw(spoilt(data.getvalue(), [b"\xff" * 8, b"30 path=x\n", b"\0" * 512]))
    return draw(st.sampled_from([whole, gzip.compress(whole, 1), draw(spoilt(gzip.compress(whole, 1)))]))


COLUMNS: dict[str, Any] = {
    "moves": np.array([40, 30, 81, 5], np.uint8),
    "offs": np.array([0, 3, 4], np.int64),
    **{name: np.array([1, -1], np.int16) for name in ("komi2", "winner", "how", "margin2", "rb", "rw", "rules")},
}
ODD = [
    np.array(["a", "b"]),
    np.array([1.5, np.nan]),
    np.array([]),
    np.array(3),
    np.zeros((2, 2), int),
    np.array([1j, 2]),
]
ODD += [np.array([0, 2**63], np.uint64), np.array([5, 0, 4]), np.array([[1], None], object), np.array([True, False])]
ODD += [np.array([0, 2**62]), np.array([-(2**63), 0]), np.zeros(2, [("x", int)]), np.array(["2020"], "datetime64[D]")]


@st.composite
def packed(draw) -> bytes:
    changed = draw(st.dictionaries(st.sampled_from([*COLUMNS, "else"]), st.sampled_from(ODD), max_size=2))
    dropped = draw(st.sets(st.sampled_from([*COLUMNS]), max_size=draw(st.sampled_from([0, 0, 1]))))
    data = io.BytesIO()
    columns = {name: column for name, column in (COLUMNS | changed).items() if name not in dropped}
    draw(st.sampled_from([np.savez, np.savez_compressed]))(data, **columns)
    if draw(st.booleans()):
        return data.getvalue()
    return draw(spoilt(data.getvalue(), [b"'shape': (99999999999999,)", b"'descr': '|O'", b"PK\x05\x06"]))


def read_games(name: str, data: bytes, place: Path) -> list[game_files.Found]:
    """What `find` gives, after all that is promised of it."""
    path = place / name
    path.write_bytes(data)
    found = list(game_files.find(path))
    for each in found:
        assert each.source.isprintable() and each.name.isprintable() and (each.game is None) == bool(each.problem)
        if each.problem:
            check_line(each.problem, 70_000)  # names of members may be long
    assert os.listdir(place) == [name], "archives are not unpacked"
    os.unlink(path)
    return found


@fuzz(zips())
def test_zip_archives(data, place):
    read_games("games.zip", data, place)


@fuzz(tars())
def test_tar_archives(data, place):
    read_games("games.tgz", data, place)


@fuzz(packed())
def test_packed_games(data, place):
    read_games("games.npz", data, place)


# Files of runs


CONFIG = {"config": {"size": 9, "network": {"num_blocks": 2}}, "versions": {"jax": "1"}}


def as_file(value: Any) -> str:
    return json.dumps(value, default=str)


def files_of(original: str, *names: str):
    """JSON, and what is nearly that."""
    nested = st.integers(1, 3000).map(lambda depth: '{"config": ' + "[" * depth + "]" * depth + ', "versions": {}}')
    return (
        json_of(*names).map(as_file) | spoilt(original, ["[", "{", '"', "1e999", "\\ud800", "\0", "}"]) | nested | TEXTS
    )


@fuzz(files_of(as_file(CONFIG), "config", "versions", "size", "network"))
def test_config_json(content, place):
    write_text(place / "config.json", content)
    try:
        assert all(isinstance(part, dict) for part in run_directory.read_config(place))
    except RunError as error:
        check_line(error)
    try:
        with contextlib.redirect_stderr(io.StringIO()) as told:
            run_directory.claim(place, CONFIG["config"], CONFIG["versions"], True, ()).close()
        assert all(line.isprintable() for line in told.getvalue().split("\n"))
    except RunError as error:
        check_line(error)


ROW = '{"iteration": 1, "time": 2.5, "loss": "NaN"}'


@fuzz(st.lists(files_of(ROW, "iteration", "time", "loss"), max_size=4).map("\n".join))
def test_metrics(content, place):
    path = write_text(place / "metrics.jsonl", content)
    for read in (metrics.read, lambda path: metrics.truncate(path, 3)):
        try:
            rows = read(path)
            assert all(type(row["iteration"]) is int and type(row["time"]) is float for row in rows)
        except RunError as error:
            check_line(error)


TREE = {"train": {"params": {"x": np.arange(6.0)}}, "key": np.arange(2, dtype=np.uint32), "no": np.zeros((0, 2))}


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A run with one checkpoint."""
    directory = tmp_path_factory.mktemp("original") / "run"
    with checkpoint.open_run(directory, {"size": 9}, {}) as run:
        checkpoint.save(run, 1, TREE | {"random": jax.random.key(0)}, {"seconds": 1.0})
    checkpoint.load(directory)  # whatever is imported late is imported now
    return directory


def check_loaded(directory: Path) -> bool:
    """Whether a run can be loaded; if not, one line says why."""
    try:
        loaded = checkpoint.load(directory)
    except RunError as error:
        check_line(error)
        return False
    assert all(type(array) is np.ndarray for array in jax.tree.leaves(loaded.arrays))
    assert type(loaded.meta) is dict and all(type(value) is float for value in loaded.metrics.values())
    json_file.dumps(loaded.meta)
    return True


def changed(value: Any, path: list[int], new: Any) -> Any:
    """A JSON value with what is on a path through it replaced, or removed where that is an Ellipsis."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = value.copy()
    copy[key] = changed(value[key], path[1:], new)
    if copy[key] is ...:
        del copy[key]
    return copy


NEW = (
    json_of("dtype", "shape", "impl", "crc32")
    | st.just(...)
    | st.sampled_from(
        ["float64", "key<fry>", "fry", "rbg", "object", [2**60], [-1], [0], [6.0], [3, 2], "O", "bfloat16", []]
    )
)
EDITS = st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=4), NEW), max_size=3)


@pytest.mark.parametrize("num", [60, pytest.param(MANY // 10, marks=pytest.mark.slow)])
def test_descriptions_of_checkpoints_by_strangers(original, tmp_path, num):
    """Their checksums are right: who can write a file can sign it."""
    shutil.copytree(original, tmp_path / "run")
    path = tmp_path / "run/checkpoints/1/info/metadata"
    description = json.loads(path.read_text())
    del description["crc32"]
    num_loaded = 0

    @settings(max_examples=num, **FUZZ)
    @given(EDITS)
    def on_all(edits):
        nonlocal num_loaded
        tried["descriptions_of_checkpoints"] += 1
        info = functools.reduce(lambda info, edit: changed(info, *edit), edits, description)
        with contextlib.suppress(TypeError, AttributeError):  # no object any more
            info = {**info, "crc32": checkpoint_file._checksum(info)}
        write_text(path, as_file(info))
        with watch().over(tmp_path):
            num_loaded += check_loaded(tmp_path / "run")

    on_all()
    assert num_loaded > 0


def sign(run: Path, leaves: Any) -> None:
    """Writes another description of the arrays, with its checksum."""
    path = run / "checkpoints/1/info/metadata"
    info = json.loads(path.read_text()) | {"leaves": leaves}
    del info["crc32"]
    write_text(path, as_file({**info, "crc32": checkpoint_file._checksum(info)}))


def test_arrays_that_are_not_as_described_are_refused(original, tmp_path):
    shutil.copytree(original, tmp_path / "run")
    leaves = json.loads((tmp_path / "run/checkpoints/1/info/metadata").read_text())["leaves"]
    x = leaves["train/params/x"]
    for wrong in (
        leaves | {"train/params/x": x | {"shape": [3, 2]}},
        leaves | {"train/params/x": x | {"dtype": "int64"}},
        leaves | {"train/params/x": x | {"impl": "fry"}},
        leaves | {"random": leaves["random"] | {"impl": None}},
        leaves
        | {"train": x | {"shape": [0], "crc32": checkpoint_file.leaves.checksum(np.zeros(0))}},  # two in one place
    ):
        sign(tmp_path / "run", wrong)
        assert not check_loaded(tmp_path / "run"), wrong
    sign(tmp_path / "run", leaves)
    assert check_loaded(tmp_path / "run")


@pytest.mark.parametrize(("shape", "chunk"), [([2**45], [2**30]), ([6], [2**42])], ids=["an array", "its storage"])
def test_a_checkpoint_that_unpacks_to_more_than_the_memory_is_refused(original, tmp_path, shape, chunk):
    import tensorstore

    shutil.copytree(original, tmp_path / "run")
    arrays = tmp_path / "run/checkpoints/1/arrays"
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{arrays}/"}).result()
    array = json.loads(store.read("train.params.x/.zarray").result().value)
    store.write("train.params.x/.zarray", json.dumps(array | {"shape": shape, "chunks": chunk})).result()
    leaves = json.loads((tmp_path / "run/checkpoints/1/info/metadata").read_text())["leaves"]
    sign(tmp_path / "run", leaves | {"train/params/x": leaves["train/params/x"] | {"shape": shape}})
    with pytest.raises(RunError, match=r"more than the [0-9,]+ of this machine's memory"):
        checkpoint.load(tmp_path / "run")


def test_a_key_that_is_none_is_refused(original, tmp_path):
    """Its kind is right, and so is its checksum."""
    shutil.copytree(original, tmp_path / "run")
    leaves = json.loads((tmp_path / "run/checkpoints/1/info/metadata").read_text())["leaves"]
    sign(tmp_path / "run", leaves | {"random": leaves["random"] | {"impl": "rot13"}})
    with checkpoint.open_run(tmp_path / "run", {"size": 9}, {}, resume=True) as run:
        with pytest.raises(RunError, match="is damaged") as caught:
            checkpoint.restore(run, TREE | {"random": jax.random.key(0)})
        check_line(caught.value)


@pytest.mark.parametrize("num", [60, pytest.param(MANY // 10, marks=pytest.mark.slow)])
def test_files_of_checkpoints_by_strangers(original, tmp_path, num):
    shutil.copytree(original, tmp_path / "run")
    paths = sorted(path for path in (tmp_path / "run/checkpoints/1").rglob("*") if path.is_file())
    contents = {path: path.read_bytes() for path in paths}
    files = st.sampled_from(paths).flatmap(
        lambda path: st.tuples(
            st.just(path), spoilt(contents[path], [b"[" * 5000, b"99999999999", b"null", b'"np.ndarray"'])
        )
    )

    @settings(max_examples=num, **FUZZ)
    @given(files)
    def on_all(file):
        tried["files_of_checkpoints"] += 1
        path, content = file
        path.write_bytes(content)
        with watch().over(tmp_path):
            check_loaded(tmp_path / "run")
        path.write_bytes(contents[path])

    on_all()
    assert check_loaded(tmp_path / "run")


@pytest.mark.parametrize("name", ["config.json", "checkpoints/1/info/metadata", "checkpoints/1/arrays/_METADATA"])
@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder"])
@pytest.mark.timeout(60)
def test_a_file_that_is_none_is_not_waited_for(original, tmp_path, name, kind):
    shutil.copytree(original, tmp_path / "run")
    path = tmp_path / "run" / name
    path.unlink()
    {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "loop": lambda path: path.symlink_to(path),
        "folder": os.mkdir,
    }[kind](path)
    assert not check_loaded(tmp_path / "run")


def test_metrics_from_a_pipe_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(RunError, match="no regular file"):
        metrics.read(tmp_path)


NETWORK = {"size": 5, "komi": 7.0, "ko": "simple", "max_moves": 30, "search": {"num_simulations": 4}}
NETWORK |= {"network": {"num_blocks": 0, "num_channels": 2, "num_head_channels": 2, "bfloat16": False}}


@pytest.mark.parametrize("num", [30, pytest.param(MANY // 10, marks=pytest.mark.slow)])
def test_networks_of_strangers(loaded_scripts, tmp_path, num):
    """For matches and engines: the checkpoint is whole, the config says anything."""
    weights, engine = {"params": {"stem": {"bias": np.zeros((1, 3))}}}, script("gtp_engine")
    with checkpoint.open_run(tmp_path / "run", {}, {}) as run:
        checkpoint.save(run, 1, {"train": {"average": weights}})
    write_text(tmp_path / "run/config.json", as_file({"config": NETWORK, "versions": {}}))
    with pytest.raises(SettingError, match="is not a run of go_9x9"):
        engine.begin(engine.Config(tmp_path / "run"))  # whatever is made late is made now

    @settings(max_examples=num, **FUZZ)
    @given(EDITS)
    def on_all(edits):
        tried["networks"] += 1
        config = functools.reduce(lambda value, edit: changed(value, *edit), edits, NETWORK)
        write_text(tmp_path / "run/config.json", as_file({"config": config, "versions": {}}))
        with watch().over(tmp_path), pytest.raises((RunError, SettingError)) as caught:
            engine.begin(engine.Config(tmp_path / "run"))
        check_line(caught.value)

    on_all()


# Data sets


@pytest.mark.parametrize("form", ["pythonClassName", "type", "in a text"])
def test_a_data_set_imports_nothing_that_its_files_name(tmp_path, monkeypatch, form):
    """TensorFlow Datasets would import any module that Python finds."""
    import tensorflow_datasets as tfds

    folder, kinds = tmp_path / "some" / "1.0.0", "tensorflow_datasets.core.features"
    folder.mkdir(parents=True)
    number = {
        "pythonClassName": f"{kinds}.scalar.Scalar",
        "tensor": {"shape": {}, "dtype": "int32", "encoding": "none"},
    }
    whole = {"pythonClassName": f"{kinds}.features_dict.FeaturesDict", "featuresDict": {"features": {"x": number}}}
    (folder / "features.json").write_text(json.dumps(whole))
    info = {"name": "some", "version": "1.0.0", "fileFormat": "array_record", "splits": []}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    assert list(data_set.open_prepared(folder).info.features) == ["x"]

    (tmp_path / "imported.py").write_text("import sys; sys.was_imported = True")
    monkeypatch.syspath_prepend(tmp_path)
    hidden = {"features": {"x": {"pythonClassName": "imported.Feature"}}}
    features = {
        "pythonClassName": whole | {"featuresDict": hidden},
        "type": {"type": "imported.Feature", "content": {}},
        "in a text": {
            "type": f"{kinds}.features_dict.FeaturesDict",
            "proto_cls": "tensorflow_datasets.FeaturesDict",
            "content": json.dumps(hidden),
        },
    }[form]
    (folder / "features.json").write_text(json.dumps(features))
    with pytest.raises(ValueError, match="its features are of the kind") as caught:
        data_set.open_prepared(folder)
    check_line(caught.value)
    assert not hasattr(sys, "was_imported")
    with contextlib.suppress(ValueError):
        tfds.builder_from_directory(folder)
    assert sys.__dict__.pop("was_imported"), "if this is no danger any more, open_prepared can go"
    del sys.modules["imported"]


@pytest.mark.parametrize("content", [None, "[" * 5000, "[]", "3", "{"])
def test_what_is_no_data_set_is_told_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "features.json").write_text(content)
    with pytest.raises(ValueError) as caught:
        data_set.open_prepared(tmp_path)
    check_line(caught.value)


# Programs and what models answer


BRAINFUCK = st.lists(st.sampled_from([*"><+-.,[]#é\ud800", "+[.]", "+[>+]", "[-]"]), max_size=60).map("".join)
BEFUNGE = st.text(st.sampled_from('0123456789+-*/%!`><^v?_|":\\$.,#pg&~@ \n\xff囲'), max_size=200)


@fuzz(st.tuples(BRAINFUCK | TEXTS, st.binary(max_size=4)))
def test_brainfuck_programs(program_and_data, place):
    program, data = program_and_data
    for options in (
        brainfuck_reference.Options(max_steps=500, max_output=20, cells=30, left_edge="wrap", brackets="lenient"),
        brainfuck_reference.Options(max_steps=500, max_output=20),
    ):
        ran = brainfuck_reference.run(program, data, options)
        assert ran.steps <= 500 and len(ran.output) <= 20


@fuzz(st.tuples(BEFUNGE | TEXTS, st.binary(max_size=4)))
def test_befunge_programs(program_and_data, place):
    program, data = program_and_data
    try:
        ran = befunge_reference.run(program, data, befunge_reference.Options(max_steps=500, max_output=20))
        assert ran.steps <= 500 and len(ran.output) <= 20
    except ValueError as error:
        check_line(error)


WORDS = (
    "print ( ) [ ] { } 'a' 1 x y = += == in for while if def f return : , . \n \n\t \n  lambda import os math sys input"
)
WORDS += (
    " chr(55296) 55296 __class__ __import__ eval exec open getattr str int * ** // % @ f'{x}' \\ # \0 9**9**9 yield"
)
WORDS += " async await with try except raise global nonlocal class del assert := ... -> | & ~ << >> not and or is None"
PYTHON = ["x = 'a'\nfor i in range(5):\n    x += chr(i * 11111)\n    print(x, len(x))\n", "print(input())\n"]
PROGRAMS = st.lists(st.sampled_from(WORDS.split(" ")), max_size=25).map(" ".join)
PROGRAMS |= st.sampled_from(PYTHON).flatmap(lambda program: spoilt(program, WORDS.split(" ")))
ENDS = {"ok", "step_limit", "output_limit", "syntax_error", "runtime_error", "unsupported"}


@fuzz(PROGRAMS | TEXTS)
def test_python_programs(program, place):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # "\d"
        ran = python_subset.run(program, b"1 2\n", max_steps=2000, max_output=100)
    assert ran.ended in ENDS and ran.steps <= 2001


def test_half_a_character_cannot_be_printed():
    assert python_subset.run("print(1)\nprint(chr(55296))") == ("runtime_error", b"1\n", 10)
    assert python_subset.run("input(chr(55296))").ended == "runtime_error"
    assert json_file.loads(json_file.dumps("a\ud800é")) == "a\ud800é" and json_file.dumps("é").encode()


LANGUAGES = [brainfuck(), renamed(0), befunge(), python()]
SAID = [
    "```",
    "````",
    "~~~",
    "\n",
    "```python\n",
    "<think>",
    "</think>",
    "`",
    "+.",
    "[",
    " ",
    "\r\n",
    "print(1)",
    "@",
    "\ud800",
]
COMPLETIONS = st.lists(st.sampled_from(SAID) | st.text(ANY, max_size=5), max_size=12).map("".join)
PROBLEM = paper_problems.copy_five()[0]


@fuzz(COMPLETIONS)
def test_completions(completion, place):
    for language in LANGUAGES:
        assert isinstance(extraction.program(completion, language), str)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verdict = verdicts.judge(language, PROBLEM, completion)
        assert verdict.result != "solved"
        json_file.dumps(verdict._asdict()).encode()


SAMPLE = {"id": "a", "problem": "p", "completion": "```\n+\n```", "finish_reason": "stop"}
SAMPLE |= {"usage": {"prompt": 1, "completion": 2}}
SAMPLES = json_of(*SAMPLE, "prompt").map(as_file) | EDITS.map(
    lambda edits: as_file(functools.reduce(lambda value, edit: changed(value, *edit), edits, SAMPLE) or "")
)


@fuzz(st.lists(SAMPLES | spoilt(as_file(SAMPLE)) | st.just("[" * 5000), max_size=4).map("\n".join))
def test_files_of_samples(content, place):
    found = samples.read(write_text(place / "samples.jsonl", content))
    for identity, sample in found.items():
        assert sample["id"] == identity
    judged = [verdicts.judge(LANGUAGES[0], PROBLEM, sample["completion"]) for sample in found.values()]
    if found:
        scores.score(list(found.values()), judged, scores.Price())


ANSWER = {"choices": [{"message": {"content": "+."}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}


@fuzz(EDITS.map(lambda edits: functools.reduce(lambda value, edit: changed(value, *edit), edits, ANSWER)))
def test_answers_of_endpoints(answer, place):
    try:
        completion = endpoint._completion(answer)
    except endpoint.NO_ANSWER:
        return
    assert list(map(type, completion)) == [str, str, int, int]
    json_file.dumps(completion).encode()


# The command line


FLAGS = {
    "go_9x9": ["--size", "--komi", "--name", "--devices", "--iterations", "--selfplay.num-games", "--network.bfloat16"],
    "esolang_llm": ["--name", "--languages", "--num-examples", "--temperature", "--price.prompt", "--num-problems"],
    "gtp_engine": ["--run", "--simulations", "--iteration", "--weights", "--resign-below"],
}
VALUES = [
    "9",
    "-1",
    "nan",
    "inf",
    "1e999",
    "None",
    "True",
    "",
    "x",
    "../x",
    "__import__('os')",
    "[1, 2]",
    "{}",
    "9" * 5000,
]


@functools.cache
def script(name: str):
    return scripts.load(name)


@st.composite
def command_lines(draw):
    name = draw(st.sampled_from(list(FLAGS)))
    words = (
        st.sampled_from([*FLAGS[name], "--preset=tiny", "--preset=huge", "--preset", "--resume"])
        | st.sampled_from(VALUES)
        | TEXTS
    )
    pairs = st.builds("{}={}".format, st.sampled_from(FLAGS[name]), st.sampled_from(VALUES) | TEXTS)
    return name, draw(st.lists(words | pairs, max_size=5))


@pytest.fixture(scope="module")
def loaded_scripts():
    for name in FLAGS:
        for words in (["--preset=tiny"], ["--run=x"], ["--help"], ["--what"]):  # what is made late is made now
            with contextlib.suppress(SystemExit, SettingError), contextlib.redirect_stderr(io.StringIO()):
                script(name).parse(words)


@pytest.mark.parametrize("num", [60, pytest.param(MANY // 10, marks=pytest.mark.slow)])
def test_command_lines(loaded_scripts, tmp_path, num):
    num_accepted = 0

    @settings(max_examples=num, **FUZZ)
    @given(command_lines())
    def on_all(line):
        nonlocal num_accepted
        tried["command_lines"] += 1
        name, words = line
        told = io.StringIO()
        with watch().over(tmp_path), contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
            try:
                script(name).parse(words)
                num_accepted += 1
            except SettingError as error:
                check_line(error, 12_000)
            except SystemExit as end:
                assert end.code in (0, 2)

    on_all()
    assert num_accepted > 0
    assert list(tmp_path.iterdir()) == []


# Few bytes, much trouble


LONG = 100_000
SLOW = {
    "a number of GTP": lambda: read_number("9" * 65_000 + "x"),
    "digits in a diagram": lambda: text.from_text("X" + "1" * LONG + "X"),
    "open fences": lambda: extraction.program("`" * LONG, LANGUAGES[0]),
    "a fence a line": lambda: extraction.program("```\n" * LONG, LANGUAGES[0]),
    "long fences": lambda: extraction.program("\n".join(["`" * 300] * 300), LANGUAGES[0]),
    "thoughts": lambda: extraction.program("<think>" * LONG, LANGUAGES[0]),
    "code that ends in words": lambda: extraction.program("+" * LONG + "x", LANGUAGES[0]),
    "spaces": lambda: extraction.program((" " * 300 + "x\n") * 300, LANGUAGES[0]),
    "open spans": lambda: extraction.program("`+" * LONG, LANGUAGES[0]),
    "nested brackets": lambda: brainfuck_reference.run("[" * LONG),
    "signs": lambda: python_subset.run("-" * 9_999 + "1"),
    "a long sum": lambda: python_subset.run("1" + "+1" * 4_999),
    "nested JSON": lambda: json_file.loads("[" * LONG),
    "wide JSON": lambda: json_file.loads("[" + "[]," * LONG + "0]"),
}


@pytest.mark.parametrize("call", SLOW.values(), ids=SLOW)
def test_long_inputs_take_no_more_than_their_length_in_time(call):
    began = time.perf_counter()
    with contextlib.suppress(ValueError, CommandError):
        call()
    assert time.perf_counter() - began < 5  # these take a tenth of a second, and a minute were time quadratic


def test_a_file_of_broken_games_takes_no_more_than_its_length_in_time(tmp_path):
    began = time.perf_counter()
    found = read_games("many.sgf", b"(;GM[1]SZ[x]\n" * 5_000, tmp_path)
    assert len(found) == 5_000 and found[-1].problem.startswith("many.sgf:5001:")
    assert time.perf_counter() - began < 10


def test_records_of_too_many_games_or_nodes_are_refused(monkeypatch):
    monkeypatch.setattr(sgf, "MAX_GAMES", 900)
    monkeypatch.setattr(sgf_syntax, "MAX_NODES", 900)
    assert len(sgf.read("(;)\n" * 900)) == 900 and len(sgf.read(f"({';' * 900})")) == 1
    for content, reason in (("(;)\n" * 901, "games"), ("(" + ";B[]\n" * 901 + ")", "nodes in a game")):
        with pytest.raises(sgf.SgfError, match=rf"^a\.sgf:901:\d+: more than 900 {reason}$"):
            sgf.read(content, "a.sgf")


def zip_of(members: dict[str, bytes], packing: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def tar_header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def overlapping_zip(num: int) -> bytes:
    """All members are the same bytes of the file."""
    data = zip_of({"a.sgf": b" " * 2**22}, zipfile.ZIP_DEFLATED)
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    directory = data[start:end] * num
    last = bytearray(data[end:])
    last[8:12] = num.to_bytes(2, "little") * 2
    last[12:16] = len(directory).to_bytes(4, "little")
    return data[:start] + directory + bytes(last)


MEGABYTE = 2**20
BOMBS = {
    "a long member.zip": lambda: zip_of({"a.sgf": b" " * 64 * MEGABYTE}, zipfile.ZIP_DEFLATED),
    "many members.zip": lambda: zip_of({f"{i}.sgf": b" " * MEGABYTE for i in range(100)}, zipfile.ZIP_DEFLATED),
    "bzip2.zip": lambda: zip_of({"a.sgf": b" " * 64 * MEGABYTE}, zipfile.ZIP_BZIP2),
    "lzma.zip": lambda: zip_of({"a.sgf": b" " * 64 * MEGABYTE}, zipfile.ZIP_LZMA),
    "overlapping members.zip": lambda: overlapping_zip(1000),
    "a long member.tgz": lambda: gzip.compress(tar_header("a.sgf", 64 * MEGABYTE) + b" " * 64 * MEGABYTE, 1),
    "something else.tgz": lambda: gzip.compress(tar_header("a.txt", 2**40) + b" " * 64 * MEGABYTE, 1),
    "a long name.tgz": lambda: gzip.compress(
        tar_header("x", 64 * MEGABYTE, tarfile.GNUTYPE_LONGNAME) + b"x" * 64 * MEGABYTE, 1
    ),
    "long attributes.tgz": lambda: gzip.compress(
        tar_header("x", 64 * MEGABYTE, tarfile.XHDTYPE) + b"1" * 64 * MEGABYTE, 1
    ),
    "attributes.tar": lambda: tar_header("x", 2**14, tarfile.XHDTYPE) + b"1" * 2**14,
    "many headers.tgz": lambda: gzip.compress(tar_header("a.txt", 0) * 5_000, 1),
    "less than nothing.tar": lambda: tar_header("b.txt", 0) + tar_header("a.txt", -512),
    "less than nothing.tgz": lambda: gzip.compress(
        tar_header("a", -512, tarfile.GNUTYPE_LONGNAME) + b" " * 64 * MEGABYTE, 1
    ),
    "zeros.npz": lambda: npz(moves=np.zeros(64 * MEGABYTE, np.uint8)),
    "one game over and over.npz": lambda: npz(
        **{name: np.zeros(20_000, np.int8) for name in [*COLUMNS][2:]},
        moves=np.zeros(MEGABYTE, np.uint8),
        offs=np.array([0, MEGABYTE] * 10_000 + [MEGABYTE]),
    ),
    "a long game.npz": lambda: npz(
        moves=np.zeros(MEGABYTE, np.uint8), offs=np.array([0, MEGABYTE]), **{name: [0] for name in [*COLUMNS][2:]}
    ),
    "huge.npz": lambda: zip_of({f"{name}.npy": npy_header(2**50) for name in COLUMNS}, zipfile.ZIP_DEFLATED),
    "no archive.npz": lambda: npy_header(2**50),
}


def npz(**columns: Any) -> bytes:
    data = io.BytesIO()
    np.savez_compressed(data, **(COLUMNS | columns))
    return data.getvalue()


def npy_header(length: int) -> bytes:
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "|i1", "fortran_order": False, "shape": (length,)})
    return data.getvalue()


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.timeout(120)
def test_archives_that_unpack_to_much_are_left_off(tmp_path, monkeypatch, name):
    """The limits are small here, so that a test can go beyond them."""
    monkeypatch.setattr(game_files, "MAX_ARCHIVE", 32 * MEGABYTE)
    monkeypatch.setattr(sgf, "MAX_BYTES", 4 * MEGABYTE)
    data = BOMBS[name]()
    tracemalloc.start()
    began = time.perf_counter()
    found = read_games("bomb." + name.rpartition(".")[2], data, tmp_path)
    seconds = time.perf_counter() - began
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 30, seconds
    if name not in ("huge.npz", "no archive.npz"):  # NumPy reports what it asked for and did not get
        assert most < 56 * MEGABYTE, most
    assert all(each.game is None for each in found)
