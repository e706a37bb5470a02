"""Turns the runs of an experiment on Go into one page: report.md and report.html, with figures.

    python experiments/report.py runs/go_arms/cpu

What it reads, and names beside the numbers: experiment.json (the trainings), each training's config.json, result.json,
metrics.jsonl and battery.json, and the tournament's ratings.json and pairs.jsonl. It computes nothing that these do not
hold; run again, it gives the same page.
"""

import collections
import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tyro
from markdown_it import MarkdownIt

from rl_pretrain import json_file, metrics, run_directory, success
from rl_pretrain.run_directory import RunError

PAPER = {"spt": "100 %", "rft-0.1": "66 %", "rft-0.5": "92 %"}
"""Share of games that rpt won (Figure 2); one seed each, the number of games is not given."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What to report on."""

    experiment: Annotated[Path, tyro.conf.Positional]
    """Directory of an experiment, such as runs/go_arms/cpu."""
    out: Path | None = None
    """Where the page goes. Default: the experiment's directory."""


class Member(NamedTuple):
    """One training and what it left."""

    arm: str
    seed: int
    run: str
    config: dict[str, Any]
    result: dict[str, Any]
    battery: dict[str, Any]


class Player(NamedTuple):
    """One who played in the tournament."""

    name: str
    member: Member | None  # None for those that were not trained here
    iteration: int
    is_searching: bool


def main(config: Config) -> None:
    """The whole page, top to bottom."""
    content = read_json(config.experiment / "experiment.json")
    settings, _ = run_directory.read_config(config.experiment)
    members = [read_member(row) for row in content["members"]]
    tournaments = [Path(path) for path in content["tournaments"]]
    depths = [Path(path) for path in content["depths"]]
    pairs = [pair for path in tournaments for pair in read_pairs(path / "pairs.jsonl")]
    rated = [read_json(path / "ratings.json") for path in tournaments]
    players = [identify(name, members) for each in rated for name in each["players"]]
    out = config.out or config.experiment
    out.mkdir(parents=True, exist_ok=True)

    sections = [
        introduction(content["command"], settings, members),
        head_to_head(members, players, pairs, tournaments),
        strength(rated, tournaments, members, out),
        worth_of_search(depths, members),
        ledger(members),
        predicting(members),
        generalisation(members),
        habits(members),
        limits(settings, members),
        sources(members, [*tournaments, *depths]),
    ]
    text = "\n\n".join(section for section in sections if section) + "\n"
    json_file.replace(out / "report.md", text)
    json_file.replace(out / "report.html", page(text))
    print(f"{out / 'report.md'}  {out / 'report.html'}")


def introduction(command: str, settings: dict[str, Any], members: Sequence[Member]) -> str:
    """What was done."""
    minutes = sum(own_seconds(member, members) for member in members) / 60
    some = members[0].config
    arms = dict.fromkeys(member.arm for member in members)
    network = some["network"]
    return f"""# Reward-based against supervised pretraining, Go {settings["size"]}×{settings["size"]}

Does a player trained by reward from scratch become stronger than one that was first shown games? Same network
({network["num_blocks"]} blocks of {network["num_channels"]} channels), same search, same games shown, same evaluation;
{len(arms)} arms ({", ".join(arms)}), {settings["num_seeds"]} seeds each. Fine-tuning (rft) is charged for the
pretraining it begins with, and then costs as many FLOPs as reward alone (rpt).

`{command}`, {hardware(members)}; the trainings
took {minutes:.0f} minutes. Intervals are 95 %, the wider one of Student's over seeds and Wilson's over openings and
problems, which are the same for all seeds."""


def head_to_head(
    members: Sequence[Member], players: Sequence[Player], pairs: Sequence[dict[str, Any]], tournaments: Sequence[Path]
) -> str:
    """The paper's table beside ours."""
    ends = {player.name: player for player in players if player.member and is_end(player, players)}
    arms = [arm for arm in dict.fromkeys(member.arm for member in members) if arm != "rpt"]
    rows = []
    for arm in arms:
        cells = [against(ends, pairs, arm, is_searching) for is_searching in (True, False)]
        rows.append([arm, PAPER.get(arm, "–"), *cells])
    lines = table(["opponent", "paper: rpt wins", "ours: points of rpt, with search", "without search"], rows)
    return f"""## What rpt scores against the others

{lines}

A draw counts ½. Every seed of rpt met every seed of the other arm; pairs of games share an opening, colours swapped
({files(tournaments, "pairs.jsonl")}).
The paper: one seed, 9×9, days of training on several GPUs; its code handicapped the imitation arms (other inputs in
play than in training, normalisation that was never updated, no value loss)."""


def against(ends: dict[str, Player], pairs: Sequence[dict[str, Any]], arm: str, is_searching: bool) -> str:
    """Points of rpt against an arm."""
    points: dict[int, dict[int, list[float]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for pair in pairs:
        first, second = ends.get(pair["first"]), ends.get(pair["second"])
        if not (first and second and first.is_searching == second.is_searching == is_searching):
            continue
        for one, other, won in ((first, second, pair["points"] / 2), (second, first, 1 - pair["points"] / 2)):
            assert one.member and other.member
            if one.member.arm == "rpt" and other.member.arm == arm:
                points[one.member.seed][other.member.seed].append(won)
    if not points:
        return "–"
    numbers = [len(won) for theirs in points.values() for won in theirs.values()]
    rates = [[np.mean(theirs[seed]) for seed in sorted(theirs)] for theirs in points.values()]
    estimate = success.against_seeds(rates, min(numbers))
    return f"{interval_text(estimate)} of {2 * sum(numbers)} games"


def strength(rated: Sequence[dict[str, Any]], tournaments: Sequence[Path], members: Sequence[Member], out: Path) -> str:
    """Elo, and Elo against compute."""
    with_search, without = rated
    drawn = draw_strength(with_search, members, out / "strength.png")
    figure = "![Elo against compute](strength.png)\n\n" if drawn else ""
    return f"""## Strength

{figure}{rating_table("with search", with_search, members)}

{rating_table("without search", without, members)}

Bradley-Terry over all pairs of a tournament ({files(tournaments, "ratings.json")})."""


def rating_table(title: str, rated: dict[str, Any], members: Sequence[Member]) -> str:
    """A tournament, the strongest first."""
    rows = []
    for name, rating in sorted(rated["players"].items(), key=lambda item: -item[1]["elo"]):
        player = identify(name, members)
        arm = f"{player.member.arm}, seed {player.member.seed}" if player.member else player.name
        elo = f"{rating['elo']:.0f} [{rating['low']:.0f}, {rating['high']:.0f}]"
        rows.append([arm, str(player.iteration or ""), flops_text(player), elo, str(rating["games"])])
    anchor = rated["anchor"]
    return table(
        [f"player, {title}", "iteration", "FLOPs so far", f"Elo ({anchor['name']} = {anchor['elo']:g})", "games"], rows
    )


def worth_of_search(tournaments: Sequence[Path], members: Sequence[Member]) -> str:
    """Elo by the number of simulations, an arm in each line; nothing without a tournament that tells."""
    if not tournaments:
        return ""
    (tournament,) = tournaments
    cells: dict[str, dict[int, str]] = collections.defaultdict(dict)
    for name, rating in read_json(tournament / "ratings.json")["players"].items():
        member, depth = identify(name, members).member, name.rpartition("#")[2]
        if member:
            cells[member.arm][int(depth)] = f"{rating['elo']:.0f} [{rating['low']:.0f}, {rating['high']:.0f}]"
    depths = sorted(next(iter(cells.values())))
    lines = table(["simulations", *map(str, depths)], [[arm, *(x[n] for n in depths)] for arm, x in cells.items()])
    return f"""## What search is worth

{lines}

Elo of each arm's first seed, all in one tournament ({files(tournaments, "ratings.json")}); random play = 0."""


def ledger(members: Sequence[Member]) -> str:
    """What each arm has cost, all that it began with included."""
    names = ("updates", "positions", "games", "moves", "evaluations", "flops", "device_seconds")
    rows = []
    for arm, group in by_arm(members):
        spent = [np.mean([member.result["spent"][name] for member in group]) for name in names]
        rows.append(
            [arm, *(f"{x:.2e}" if name == "flops" else f"{x:,.0f}" for name, x in zip(names, spent, strict=True))]
        )
    head = [
        "arm",
        "updates",
        "positions learnt from",
        "games",
        "moves",
        "network evaluations",
        "FLOPs",
        "device-seconds",
    ]
    return f"""## What it cost

{table(head, rows)}

Means over seeds; of self-play and learning, matches left out. FLOPs are those of matrix products and convolutions,
counted from the programs (`rl_pretrain.ledger`). Each run's metrics.jsonl has them by iteration."""


def predicting(members: Sequence[Member]) -> str:
    """Moves and results of games that were not shown."""
    if not members[0].battery:
        return ""
    names = {
        "top_1": "move found",
        "top_5": "among five",
        "cross_entropy": "cross-entropy",
        "brier": "Brier score",
        "calibration_error": "calibration error",
    }
    rows = []
    for arm, group in by_arm(members):
        for phase in group[0].battery["prediction"]:
            means = [mean([member.battery["prediction"][phase][name] for member in group]) for name in names]
            shown = [percent(x) if i < 2 else f"{x:.3f}" for i, x in enumerate(means)]
            rows.append([arm, phase, *shown])
    return f"""## Predicting games that were not shown

{table(["arm", "moves of", *names.values()], rows)}

Means over seeds (`battery.json` of each run); without search. Brier score of the value read as the chance to win: 0.25
knows nothing. Games for testing are split off by a hash of the game."""


def generalisation(members: Sequence[Member]) -> str:
    """Beyond what was trained on."""
    if not members[0].battery:
        return ""
    conditions = members[0].battery["conditions"]
    rows = [[arm, *(score_text(group, name) for name in conditions)] for arm, group in by_arm(members)]
    return f"""## Generalisation

{solving(members)}

Points against `{members[0].battery["opponent"]}` in other worlds than the one trained in, same weights:

{table(["arm", *conditions], rows)}"""


def solving(members: Sequence[Member]) -> str:
    """Problems with exact answers, a line for each kind and way of choosing."""
    asked = [(kind, way) for kind, ways in members[0].battery["problems"].items() for way in ways]
    if not asked:
        return "The board has no room for the problems."
    groups = by_arm(members)
    rows = []
    for kind, way in asked:
        solved = [[member.battery["problems"][kind][way] for member in group] for _, group in groups]
        cells = [estimate_text([x["solved"] / x["num"] for x in each], each[0]["num"]) for each in solved]
        rows.append([kind, way, str(solved[0][0]["num"]), *cells])
    lines = table(["problem", "by", "number", *(arm for arm, _ in groups)], rows)
    return f"""Problems with exact answers, share solved by the network alone (policy) or with so many simulations:

{lines}

kill, live: life and death, the attacker or the defender to play; chase, refrain, run, stay: ladders, in pairs that
differ by one stone and have different answers. who wins: the sign of the value in life and death."""


def habits(members: Sequence[Member]) -> str:
    """How they play."""
    if not members[0].battery:
        return ""
    names = list(members[0].battery["habits"])
    rows = [
        [arm, *(f"{np.mean([member.battery['habits'][name] for member in group]):.3g}" for name in names)]
        for arm, group in by_arm(members)
    ]
    return (
        f"## Habits\n\n{table(['arm', *(name.replace('_', ' ') for name in names)], rows)}\n\nIn games against itself."
    )


def limits(settings: dict[str, Any], members: Sequence[Member]) -> str:
    """What the reader must not conclude."""
    arms = {member.arm for member in members}
    missing = [
        f"- {settings['num_seeds']} seeds an arm: differences inside the intervals are no differences.",
        f"- {settings['size']}×{settings['size']} and minutes of training; the paper trained 9×9 for days.",
    ]
    if not settings["games"]:
        missing.append("- The games shown are those of GNU Go, a weak program; people's games are `--preset=human`.")
    missing += [
        f"- {text}"
        for name, text in {
            "shuffled": "No control with exchanged results.",
            "rpt-spt": "Imitation after reward was not tried.",
        }.items()
        if name not in arms
    ]
    missing.append("- Equal FLOPs, not equal seconds: learning from games keeps the cores busier than playing does.")
    return "## What was not done\n\n" + "\n".join(missing)


def files(directories: Sequence[Path], name: str) -> str:
    return " and ".join(f"`{directory / name}`" for directory in directories)


def sources(members: Sequence[Member], tournaments: Sequence[Path]) -> str:
    """Where every number comes from."""
    rows = [
        [member.arm, str(member.seed), f"`{member.run}`", str(member.result["iterations"]),
         f"{member.result['spent']['seconds'] / 60:.1f}"]
        for member in members
    ]  # fmt: skip
    lines = table(["arm", "seed", "run", "iterations", "minutes, with what it began with"], rows)
    return f"## Runs\n\n{lines}\n\nTournaments: {files(tournaments, '')}."


def read_member(row: dict[str, Any]) -> Member:
    """Raises RunError where the training has not ended."""
    run = Path(row["run"])
    config, _ = run_directory.read_config(run)
    battery = read_json(run / "battery.json") if (run / "battery.json").exists() else {}
    return Member(row["arm"], row["seed"], row["run"], config, read_json(run / "result.json"), battery)


def read_json(path: Path) -> dict[str, Any]:
    """Raises RunError where there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error


def read_pairs(path: Path) -> list[dict[str, Any]]:
    """Pairs of games: who played, and the first one's points of two."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def identify(name: str, members: Sequence[Member]) -> Player:
    """Who a player of the tournament is."""
    found = re.fullmatch(r"(run|policy):(.+?)@(\d+)(?:#\d+)?", name)
    member = next((member for member in members if found and member.run == found[2]), None)
    if found is None or member is None:
        return Player(name, None, 0, False)
    return Player(name, member, int(found[3]), found[1] == "run")


def is_end(player: Player, players: Iterable[Player]) -> bool:
    """Whether it is the last state of its training that plays."""
    return player.iteration == max(other.iteration for other in players if other.member is player.member)


def spent_at(player: Player) -> float:
    """FLOPs up to the player's iteration."""
    assert player.member is not None
    rows = metrics.read(player.member.run)
    return next(row["flops"] for row in rows if row["iteration"] == player.iteration)


def flops_text(player: Player) -> str:
    return f"{spent_at(player):.2e}" if player.member else ""


def draw_strength(rated: dict[str, Any], members: Sequence[Member], path: Path) -> bool:
    """Elo of players over what they had cost; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    ratings = rated["players"]
    players = [identify(name, members) for name in ratings]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    arms = list(dict.fromkeys(member.arm for member in members))
    for player in players:
        rating = ratings[player.name]
        if player.member is None:
            axes.axhline(rating["elo"], color="0.7", linewidth=1, zorder=0)
            axes.annotate(player.name, (1, rating["elo"]), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                          fontsize="small", color="0.4")  # fmt: skip
    for number, arm in enumerate(arms):
        own = [player for player in players if player.member and player.member.arm == arm]
        for member in dict.fromkeys(player.member.run for player in own if player.member):
            line = sorted((p for p in own if p.member and p.member.run == member), key=lambda p: p.iteration)
            x, y = [spent_at(player) for player in line], [ratings[player.name] for player in line]
            errors = np.array([[r["elo"] - r["low"], r["high"] - r["elo"]] for r in y]).T
            is_first = member == next(p.member.run for p in own if p.member)
            axes.errorbar(x, [r["elo"] for r in y], errors, marker="os^Dv<>P"[number % 8], color=f"C{number}",
                          capsize=3, alpha=0.8, label=arm if is_first else None)  # fmt: skip
    axes.set_xlabel("FLOPs of training, pretraining included")
    axes.set_ylabel(f"Elo with search, {rated['anchor']['name']} = {rated['anchor']['elo']:g}")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    return True


def by_arm(members: Sequence[Member]) -> list[tuple[str, list[Member]]]:
    """Members of each arm, in order of the arms' first appearance."""
    arms = dict.fromkeys(member.arm for member in members)
    return [(arm, [member for member in members if member.arm == arm]) for arm in arms]


def score_text(group: Sequence[Member], name: str) -> str:
    """Points of an arm in one of the battery's worlds; nobody's against itself."""
    scores = [member.battery["conditions"][name] for member in group if member.battery["opponent"] != member.run]
    if not scores:
        return "–"
    return estimate_text([score["mean"] for score in scores], scores[0]["num_games"] // 2)


def estimate_text(rates: Sequence[float], num: int) -> str:
    """Of seeds that were all asked the same."""
    return interval_text(success.over_seeds(rates, num, is_shared=True))


def interval_text(estimate: success.Estimate) -> str:
    return f"{percent(estimate.mean)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def own_seconds(member: Member, members: Sequence[Member]) -> float:
    """Of a training, those of the one it began with left out."""
    began = [other.result["spent"]["seconds"] for other in members if other.run == member.config["source"]]
    return member.result["spent"]["seconds"] - sum(began)


def mean(x: Sequence[float]) -> float:
    return float(np.mean(x))


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def hardware(members: Sequence[Member]) -> str:
    """What it ran on."""
    num_devices = members[0].config["devices"]
    kinds = dict.fromkeys(member.result.get("hardware", "unknown hardware") for member in members)
    return f"{num_devices} device{'s' * (num_devices > 1)}: {', '.join(kinds)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """As markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page(text: str) -> str:
    """The markdown as one HTML page."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    title = text.splitlines()[0].lstrip("# ")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; font-size: 0.9em; }}
th, td {{ border-bottom: 1px solid #8884; padding: 0.25rem 0.75rem; text-align: left; white-space: nowrap; }}
img {{ max-width: 100%; background: white; }}
code {{ font-size: 0.9em; }}
</style>
</head>
<body>
{body}</body>
</html>
"""


if __name__ == "__main__":
    try:
        main(tyro.cli(Config, description=__doc__))
    except RunError as error:
        sys.exit(f"report.py: {error}")
