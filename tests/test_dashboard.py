"""The page about runs says what their files say, needs nothing else, and lets nothing in them do anything."""

import html
import html.parser
import json
import math
import random
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from rl_pretrain.dashboard import __main__ as dashboard
from rl_pretrain.dashboard import curves, records
from rl_pretrain.run_directory import RunError

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)> & \"'\ud800"
VOID = ("meta", "input", "wbr", "img")


class Page(html.parser.HTMLParser):
    """A page taken apart; asserts that elements are closed in order."""

    def __init__(self, path: Path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open, self.elements, self.data, self.words = [], [], "", []
        self.rows: list[list[str]] = []
        self.feed(self.source)
        self.close()
        assert self.open == []
        self.rows = [[cell.strip() for cell in row] for row in self.rows]
        self.data = json.loads(self.data)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td") and self.rows:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, attributes = self.open[-1] if self.open else ("", {})
        if attributes.get("id") == "data":
            self.data += data
        elif tag not in ("script", "style"):
            self.words.append(data)
            if any(name in ("th", "td") for name, _ in self.open):
                self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def series(self, run: int, name: str) -> dict:
        return self.data["runs"][run]["series"][name]


def write_run(directory: Path, rows: list[dict], config: dict | None = None, result=None) -> Path:
    directory.mkdir(parents=True)
    whole = {"config": config or {"iterations": len(rows)}, "versions": {"jax": "0.10.2"}}
    (directory / "config.json").write_text(json.dumps(whole))
    (directory / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if result is not None:
        (directory / "result.json").write_text(json.dumps(result))
    return directory


def rows_of(num: int, seed: int = 0) -> list[dict]:
    """Such as `go_9x9` writes: a score every fifth iteration, games only from the third on."""
    chance = random.Random(seed)
    rows = []
    for i in range(1, num + 1):
        row = {"iteration": i, "time": 1.25 * i, "seconds": i / 8, "moves": 160 * i, "games": max(0, 7 * i - 14)}
        row |= {"policy_loss": chance.gauss(3, 1), "pass_rate": i / (num + 10), "stage": i // 4, "rate_per_second": 9.5}
        if i % 5 == 0:
            row |= {"score": 0.5, "score_low": 0.5 - chance.random() / 3, "score_high": 0.5 + chance.random() / 3}
        rows.append(row)
    return rows


def page_of(tmp_path: Path, *runs: Path) -> Page:
    out = tmp_path / "page.html"
    dashboard.main([*map(str, runs), "--out", str(out)])
    return Page(out)


def digits(value: float, num: int) -> float:
    return float(f"{value:.{num}g}")


def test_the_curves_are_those_of_the_metrics(tmp_path):
    rows = rows_of(20)
    page = page_of(tmp_path, write_run(tmp_path / "go", rows))
    axes = page.data["runs"][0]["axes"]
    assert axes == {name: [row[name] for row in rows] for name in ("iteration", "time", "seconds", "moves", "games")}
    assert set(page.data["metrics"]) == {"score", "stage", "policy_loss", "rate_per_second", "pass_rate"}
    for name in page.data["metrics"]:
        shown = page.series(0, name)
        assert shown["mean"] == [digits(row[name], 5) if name in row else None for row in rows]
    score = page.series(0, "score")
    for end in ("low", "high"):
        assert score[end] == [digits(row[f"score_{end}"], 5) if "score" in row else None for row in rows]
    assert score["is_interval"] and not page.series(0, "policy_loss")["low"]


def test_what_people_look_for_comes_first(tmp_path):
    page = page_of(tmp_path, write_run(tmp_path / "go", rows_of(20)))
    assert page.data["metrics"] == ["score", "stage", "policy_loss", "rate_per_second", "pass_rate"]
    assert [attributes["data-metric"] for _, attributes in page.elements if "data-metric" in attributes] == list(
        "01234"
    )
    low, high = (rows_of(20)[-1][f"score_{end}"] for end in ("low", "high"))
    assert f"0.50 score, {low:.2f} to {high:.2f}" in page.text
    assert "3,200" in page.text and "126" in page.text and "20 of 20" in page.text  # moves, games, iterations


def test_long_curves_are_thinned_and_no_peak_is_lost(tmp_path):
    rows = rows_of(5003)
    rows[777]["policy_loss"], rows[3001]["policy_loss"] = 1e6, -1e6
    page = page_of(tmp_path, write_run(tmp_path / "long", rows))
    shown, ends = page.series(0, "policy_loss"), page.data["runs"][0]["axes"]["iteration"]
    assert len(ends) == len(shown["mean"]) == curves.MAX_POINTS and ends[-1] == 5003
    begin = 0
    for i, end in enumerate(ends):  # every row is in one stretch, and these are equally long
        values = [row["policy_loss"] for row in rows[begin : int(end)]]
        assert 12 <= len(values) <= 13
        assert shown["mean"][i] == pytest.approx(math.fsum(values) / len(values), rel=1e-4, abs=1e-4)
        assert (shown["low"][i], shown["high"][i]) == (digits(min(values), 5), digits(max(values), 5))
        begin = int(end)
    score = page.series(0, "score")
    bounds = [[row[f"score_{end}"] for row in rows if "score" in row] for end in ("low", "high")]
    assert min(filter(None, score["low"])) == digits(min(bounds[0]), 5)
    assert max(filter(None, score["high"])) == digits(max(bounds[1]), 5)
    assert "up to 13 iterations" in page.text


def test_the_page_stays_small(tmp_path):
    wide = [{f"metric_{m}": random.Random(i * 99 + m).random() for m in range(120)} for i in range(300)]
    rows = [{"iteration": i, "time": float(i), **row} for i, row in enumerate(wide)]
    runs = [write_run(tmp_path / "runs" / f"{i:02}", rows) for i in range(8)]
    page = page_of(tmp_path, tmp_path / "runs")
    assert len(page.data["runs"]) == len(runs) and len(page.data["metrics"]) == curves.MAX_METRICS
    points = sum(len(series["mean"]) for run in page.data["runs"] for series in run["series"].values())
    assert 0.9 * curves.MAX_POINTS_OF_PAGE < points <= curves.MAX_POINTS_OF_PAGE
    assert len(page.source) < 5e6


def test_what_is_not_finite_is_told(tmp_path):
    rows = rows_of(4)
    for row, value in zip(rows, (1.0, "NaN", "-Infinity", 10**400), strict=True):
        row["policy_loss"] = value
    rows[3]["iteration"] = 10**400
    page = page_of(tmp_path, write_run(tmp_path / "broken", rows))
    assert page.series(0, "policy_loss")["mean"] == [1.0, None, None, None]
    assert page.data["runs"][0]["axes"]["iteration"] == [1, 2, 3, None]
    assert "3 values are NaN or infinite" in page.text


def totals(*runs: list[dict]) -> list[str]:
    return curves.totals([curves.columns(rows) for rows in runs])


def test_totals_are_what_grows_as_costs_do():
    rows = [
        {
            "iteration": i,
            "time": i / 8,
            "moves": 100 * i,
            "games": max(0, 3 * i - 4),
            "device_seconds": i / 4,
            "flops": 1e15 * i,
            "stage": i // 5,
            "success": i / 20,
            "episodes": 150 - i,
            "debt": -100 * i,
            "constant": 7,
        }
        for i in range(20)
    ]
    assert totals(rows) == ["time", "moves", "games", "device_seconds", "flops"]
    shrinking = [{**row, "moves": 5.0 - i} for i, row in enumerate(rows)]
    assert totals(rows, shrinking) == ["time", "games", "device_seconds", "flops"]
    still = [{"iteration": i, "moves": 0} for i in range(8)]
    assert totals(rows, still)[:2] == ["time", "moves"]


def test_several_runs_are_compared(tmp_path):
    settings = {"size": 9, "learn": {"rate": 0.1, "reuse": 4}}
    other = {"size": 9, "learn": {"rate": 0.2, "reuse": 4}, "extra": ["a", 1]}
    write_run(tmp_path / "runs/first", rows_of(5), settings, {"cost": {"flops": 2.5e12}})
    write_run(tmp_path / "runs/second", rows_of(9), other)
    (tmp_path / "runs/data").mkdir()
    page = page_of(tmp_path, tmp_path / "runs", tmp_path / "runs/second")
    assert [run["name"] for run in page.data["runs"]] == ["first", "second"]
    head = page.rows.index(["what differs", "first", "second"])
    assert page.rows[head + 1 : head + 3] == [["learn.rate", "0.1", "0.2"], ["extra", "–", '["a", 1]']]
    assert page.rows[head + 3] == ["size", "9"]  # of all settings of the first
    assert ["first", "0:00:06", "0:00:01", "800", "21", "2.5 T"] in page.rows
    assert ["second", "0:00:11", "0:00:01", "1,440", "49", "–"] in page.rows
    assert [attributes["data-run"] for _, attributes in page.elements if "data-run" in attributes] == ["0", "1"]


def test_success_by_level_is_shown(tmp_path):
    marks = {
        "levels": ["level 0", "level 1", "length ×2"],
        "num_train": 2,
        "solved": [[1.0, 0.5], [0.25, 0.25], [None]],
    }
    result = {"task": "copy+dyck", "marks": {"dyck": {**marks, "floor": [0.5, 0.125, 0.0]}, "bad": {"levels": 3}}}
    page = page_of(tmp_path, write_run(tmp_path / "tasks", rows_of(3), result=result))
    head = page.rows.index(["", "level 0", "level 1", "length ×2"])
    assert page.rows[head - 1] == ["", "taught", "beyond"]
    assert page.rows[head + 1 : head + 3] == [
        [f"{tmp_path.name}/tasks", "75", "25", "–"],
        ["knowing nothing", "50", "12", "0"],
    ]


def test_nothing_in_a_run_does_anything(tmp_path):
    rows = [{"iteration": i, "time": float(i), HOSTILE: i * 0.5, f"{HOSTILE}_per_second": 1.0} for i in range(3)]
    exam = {"task": HOSTILE, "levels": [HOSTILE, "b"], "num_train": 1, "solved": [[1], [0]]}
    runs = [
        write_run(tmp_path / f"<script>alert({i})<", rows, {HOSTILE: HOSTILE, "iterations": HOSTILE, "i": i}, exam)
        for i in range(2)
    ]
    for run in runs:
        (run / "games").mkdir()
        title = "&lt;b&gt; @DATA@ &amp;"
        (run / "games/<img src=x>.html").write_text(f"<title>{title}</title><script>parent.alert(1)</script>")
        (run / "games/<img src=x>.sgf").write_text("(;GC['\"><script>])")
    page = page_of(tmp_path, *runs)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 2 and not {"img", "iframe", "b"} & set(tags[tags.index("header") :]) - {"b"}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    shown = HOSTILE.replace("\ud800", "?")
    assert shown.replace("_", " ") in page.text and page.data["metrics"][1] == HOSTILE
    assert page.data["games"][0]["title"] == "<b> @DATA@ &"
    assert "\\u003c/script" in page.source


def test_the_page_needs_no_network(tmp_path):
    page = page_of(tmp_path, write_run(tmp_path / "go", rows_of(9)))
    assert set(re.findall(r"\w+://[^\s\"'<)]*", page.source)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttp|WebSocket|\bimport\b", page.source)
    policy = next(attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes)
    assert "default-src 'none'" in policy and "http" not in policy
    assert not [attributes for _, attributes in page.elements if "src" in attributes]


def test_games_are_copied_or_linked(tmp_path):
    run = write_run(tmp_path / "go", rows_of(3))
    folder = run / "games"
    folder.mkdir()
    (folder / "a.html").write_text("<title>First game</title>" + "x" * 50)
    (folder / "a.sgf").write_text("(;GM[1];B[aa])é", encoding="utf-8")
    (folder / "b.svg").write_text("<svg/>")
    (folder / "c.html").write_text("<title>Huge</title>" + "x" * records.MAX_GAME_BYTES)
    (folder / "d.sgf").write_text("(;GM[1])")
    (folder / "note.txt").write_text("nothing")
    page = page_of(tmp_path, run)
    assert [(game["title"], game["kind"]) for game in page.data["games"]] == [("First game", "page"), ("b", "picture")]
    assert page.data["games"][0]["content"] == (folder / "a.html").read_text()
    assert [attributes["data-game"] for _, attributes in page.elements if "data-game" in attributes] == ["0", "1"]
    links = {attributes["href"]: attributes.get("download") for tag, attributes in page.elements if tag == "a"}
    assert {"go/games/c.html", "go/games/d.sgf"} < links.keys()
    saved = {name: urllib.parse.unquote(link.partition(",")[2]) for link, name in links.items() if name}
    assert saved == {"a.sgf": "(;GM[1];B[aa])é", "d.sgf": "(;GM[1])"}


def test_many_games_are_counted(tmp_path):
    run = write_run(tmp_path / "go", rows_of(3))
    (run / "games").mkdir()
    for i in range(records.MAX_GAMES + 25):
        (run / f"games/{i:03}.sgf").write_text("(;)")
    page = page_of(tmp_path, run)
    assert sum(tag == "li" for tag, _ in page.elements) == records.MAX_GAMES
    assert "and 25 more in" in page.text


def test_a_run_that_has_just_begun_has_a_page_in_its_directory(tmp_path, capsys):
    run = write_run(tmp_path / "go", [])
    dashboard.main([str(run)])
    assert capsys.readouterr().out == f"{run}/dashboard.html\n"
    assert "no iterations yet" in Page(run / "dashboard.html").text


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: shutil.rmtree(run), "there is no directory"),
        (lambda run: [(run / name).unlink() for name in ("config.json", "metrics.jsonl")], "is no run directory"),
        (lambda run: (run / "config.json").write_text("{"), "is damaged"),
        (lambda run: (run / "metrics.jsonl").write_text("{}\n"), "line 1, is damaged"),
        (lambda run: (run / "result.json").write_text("[" * 5000), "is damaged"),
        (lambda run: (run / "result.json").mkdir(), "is damaged"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, damage, words):
    run = write_run(tmp_path / "go", rows_of(2))
    damage(run)
    with pytest.raises(RunError) as error:
        dashboard.main([str(run)])
    assert words in str(error.value) and str(run) in str(error.value) and "\n" not in str(error.value)


def test_too_many_runs_and_a_place_that_cannot_be_written_are_told(tmp_path):
    for i in range(records.MAX_RUNS + 1):
        write_run(tmp_path / f"runs/{i}", [])
    with pytest.raises(RunError, match=f"at most {records.MAX_RUNS} runs"):
        dashboard.main([str(tmp_path / "runs")])
    with pytest.raises(RunError, match="cannot write"):
        dashboard.main([str(tmp_path / "runs/1"), "--out", str(tmp_path / "missing/page.html")])


def test_the_command_says_what_is_wrong_in_one_line(tmp_path):
    command = [sys.executable, "-m", "rl_pretrain.dashboard", str(tmp_path)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 1
    assert finished.stderr == f"dashboard: {tmp_path} is no run directory, and none lies in it\n"


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

GAME = """<title>Walled</title><script>
const tell = (what) => parent.postMessage(what, "*");
try { tell("reached " + parent.document.title); } catch { tell("walled off"); }
fetch("data:,x").then(() => tell("fetched"), () => tell("no network"));
</script>"""

PROBE = """<script>
const errors = [], heard = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("securitypolicyviolation", (event) => errors.push(event.violatedDirective));
addEventListener("message", (event) => heard.push(event.data));
const all = (selector) => [...document.querySelectorAll(selector)];
const look = () => ({
  lines: all(".panel").map((panel) => panel.querySelectorAll("path.line").length),
  labels: all(".plot svg").map((svg) => svg.getAttribute("aria-label")),
  tip: all(".tip p").map((line) => [...line.childNodes].map((node) => node.textContent)),
  cursors: all(".cursor").length,
});
const press = (panel, key) => panel.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
addEventListener("load", () => setTimeout(() => {
  const seen = { first: look() };
  const axis = document.getElementById("axis");
  axis.value = "moves";
  axis.dispatchEvent(new Event("change"));
  seen.moves = look();
  press(all(".panel")[0], "ArrowLeft");
  press(all(".panel")[0], "ArrowLeft");
  seen.pointed = look();
  all(".chip")[0].click();
  seen.hidden = look();
  document.getElementById("smooth").click();
  setTimeout(() => {
    const result = document.body.appendChild(document.createElement("pre"));
    result.id = "seen";
    result.textContent = JSON.stringify({ ...seen, errors, heard, ready: document.documentElement.dataset.ready });
  }, 500);
}, 500));
</script>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
def test_a_browser_draws_it(tmp_path):
    rows = [rows_of(60), rows_of(30, seed=1)]
    runs = [write_run(tmp_path / f"runs/{HOSTILE[:9]}{i}".replace("/", ""), rows[i]) for i in (0, 1)]
    for run in runs:
        (run / "games").mkdir()
        (run / "games/a.html").write_text(GAME)
    page = page_of(tmp_path, *runs)
    probed = tmp_path / "probed.html"
    probed.write_text(page.source.replace("</header>", f"</header>{PROBE}"), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    shown = subprocess.run([*command, probed.as_uri()], capture_output=True, text=True, timeout=120).stdout
    seen = json.loads(html.unescape(re.search(r'<pre id="seen">(.*?)</pre>', shown, re.S)[1]))
    assert seen["ready"] == "yes" and seen["errors"] == [] and set(seen["heard"]) == {"walled off", "no network"}

    names, metrics = [run["name"] for run in page.data["runs"]], page.data["metrics"]
    assert seen["first"]["lines"] == seen["moves"]["lines"] == [2] * len(metrics)
    assert seen["hidden"]["lines"] == [1] * len(metrics)
    losses = [f"{name} ends at {digits(row[-1]['policy_loss'], 4):g}" for name, row in zip(names, rows, strict=True)]
    labels = {place: seen[place]["labels"][metrics.index("policy_loss")] for place in ("first", "moves", "hidden")}
    assert labels["first"] == f"policy loss over iteration: {losses[0]}, {losses[1]}"
    assert labels["moves"] == f"policy loss over moves: {losses[0]}, {losses[1]}"
    assert labels["hidden"] == f"policy loss over moves: {losses[1]}"

    # The first key points at the last score of the first run, the second at the one before, made after 55 iterations.
    at, *scores = seen["pointed"]["tip"]
    assert at == ["moves 8,800"] and seen["pointed"]["cursors"] == len(metrics)  # in all panels
    assert {line[1]: line[2].split()[0] for line in scores} == {name: "0.5" for name in names}
    first = next(line[2] for line in scores if line[1] == names[0])
    low, high = (f"{digits(rows[0][54][f'score_{end}'], 3):g}" for end in ("low", "high"))
    assert first == f"0.5 [{low}, {high}]"
