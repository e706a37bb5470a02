"""Can a language model write programs in a language it has hardly seen? The paper's test, for any model.

    OPENAI_API_KEY=... python experiments/esolang_llm.py --preset=quick --model=gpt-4o-mini
    python experiments/esolang_llm.py --preset=quick --back-end=local --model=path/to/model.gguf --max-tokens=256

Brainf**k and Befunge, six tasks, 1, 4 and 10 worked examples, as in section 3 of "General Intelligence Requires
Reward-based Pretraining" (ICML 2025), with two controls that the paper lacks: the same tasks in Python, and Brainf**k
with its eight characters renamed. The answers are kept, one JSON object a line; --resume asks only for those that are
not there yet, and judges and reports anew. Programs run in interpreters that can do nothing but compute.

Presets (every setting can be changed by its flag):
  quick  ten problems of each task
  paper  as many problems as in the paper, and the controls
  tiny   one problem of each task, one example
"""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from rich.progress import Progress

from esolang import paper_problems
from esolang.llm import generation, samples
from esolang.llm.endpoint import Endpoint
from esolang.llm.generation import BackEnd, BackEndError
from esolang.llm.languages.befunge import befunge
from esolang.llm.languages.brainfuck import brainfuck, renamed
from esolang.llm.languages.language import Language
from esolang.llm.languages.python import python
from esolang.llm.local_model import load
from esolang.llm.paper_scores import COLUMNS, paper_scores
from esolang.llm.prompt import MAX_EXAMPLES, prompt
from esolang.llm.samples import Question, Sampling
from esolang.llm.scores import Price, Score, score
from esolang.llm.verdicts import Verdict, judge
from esolang.paper_problems import Problem
from rl_pretrain import command_line, json_file, run_directory
from rl_pretrain.interrupt import catch_signals
from rl_pretrain.run_directory import RunError
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS = Path("runs/esolang_llm")
LanguageName = Literal["brainfuck", "befunge", "python", "renamed"]
TaskName = Literal["print", "sort", "copy", "fibonacci", "factorial"]
Group = tuple[str, str, int]
"""Samples that are scored together: language, task, worked examples."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run."""

    name: str
    """The run lives in runs/esolang_llm/<name>. Default: the preset's name."""
    resume: bool = False
    """Go on with the run of this name: ask what is not answered yet, judge and report all."""
    ask: bool = True
    """Whether to ask the model at all; else what is there is judged and reported."""

    back_end: Literal["endpoint", "local"] = "endpoint"
    """An endpoint that speaks OpenAI's chat completions (OPENAI_BASE_URL, OPENAI_API_KEY), or a model on this disk."""
    model: str = ""
    """Its name at the endpoint; or a folder as transformers' save_pretrained writes it, or a GGUF file."""
    temperature: float | None = 0.0
    """None leaves it to the model, which some that think for long insist on."""
    top_p: float | None = None
    max_tokens: int = 2048
    """Of an answer, thoughts included."""
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls this limit."""

    languages: tuple[LanguageName, ...] = get_args(LanguageName)
    tasks: tuple[TaskName, ...] = get_args(TaskName)
    num_examples: tuple[int, ...] = (1, 4, 10)
    """Worked examples in prompts of printing; the other tasks are asked with the most of them."""
    num_problems: int = 10
    """Of each task at most, spread over all of them; 0: all."""
    num_samples: int = 1
    """Answers to each prompt. More than one need a temperature other than 0."""
    seed: int = 0
    """Of the first sample; the next ones follow."""
    renaming: int = 0
    """Which characters the renamed language has."""

    requests_per_minute: float = 60.0
    """Begun at most."""
    num_workers: int = 4
    """Questions asked at the same time; a local model answers one at a time."""
    timeout: float = 600.0
    """Seconds that an answer may take."""
    num_retries: int = 6
    """Of a question that an endpoint does not answer, later and later; up to three such rounds."""
    backoff: float = 1.0
    """Seconds of the first wait before such a retry."""
    price: Price = Price()
    """Dollars for a million tokens."""

    def __post_init__(self):
        a_name(self.name)
        at_least(0, self, "num_problems", "seed", "renaming", "num_retries", "backoff")
        at_least(1, self, "num_samples", "max_tokens", "num_workers")
        if not self.num_examples or not all(0 <= num <= MAX_EXAMPLES for num in self.num_examples):
            raise SettingError(f"num_examples must be 0 to {MAX_EXAMPLES}, got {self.num_examples}")
        if self.num_samples > 1 and self.temperature == 0:
            raise SettingError("several samples at temperature 0 would be the same one; add --temperature=0.8")
        for name in ("requests_per_minute", "timeout"):
            if not getattr(self, name) > 0:
                raise SettingError(f"{name} must be more than 0, got {getattr(self, name)}")
        if not (self.temperature is None or self.temperature >= 0):
            raise SettingError(f"temperature must be at least 0, got {self.temperature}")


PRESETS = {
    "quick": Config(name="quick"),
    "paper": Config(name="paper", num_problems=0),
    "tiny": Config(name="tiny", num_problems=1, num_examples=(1,)),
}


def main(config: Config) -> None:
    """Ask, judge, report."""
    directory = RUNS / config.name
    asked, model = list(questions(config)), back_end(config) if config.ask else None
    with open_run(config, directory), catch_signals() as stop:
        if model is not None:
            num_left = answer(config, model, asked, directory / "samples.jsonl", lambda: stop.requested)
            if num_left:
                why = f"stopped by {stop.signal}" if stop.requested else "the model did not answer"
                print(
                    f"{num_left} of {len(asked)} questions are open ({why}); to go on: the same command with --resume"
                )
        report(config, directory, judge_all(config, directory, asked))


def problems(language: LanguageName) -> list[Problem]:
    """The paper's, for a language; those of both for Python; those of Brainf**k for Brainf**k in other characters."""
    words, text = paper_problems.print_words, [*paper_problems.sort_five(), *paper_problems.copy_five()]
    numbers = [*paper_problems.fibonacci(), *paper_problems.factorial()]
    return {
        "brainfuck": [*words(), *text],
        "renamed": [*words(), *text],
        "befunge": [*words(100), *numbers],
        "python": [*words(100), *text, *numbers],
    }[language]


def make_language(config: Config, name: LanguageName) -> Language:
    return {
        "brainfuck": brainfuck,
        "befunge": befunge,
        "python": python,
        "renamed": lambda: renamed(config.renaming),
    }[name]()


def chosen_problems(config: Config, name: LanguageName) -> Iterator[Problem]:
    """Those that are asked about: of each task as many as there may be, evenly spread."""
    every = problems(name)
    for task in dict.fromkeys(problem.task for problem in every):
        of_task = [problem for problem in every if problem.task == task]
        num = min(config.num_problems or len(of_task), len(of_task))
        if task in config.tasks:
            yield from (of_task[i * len(of_task) // num] for i in range(num))


def questions(config: Config) -> Iterator[Question]:
    """Every sample to be drawn."""
    for name in config.languages:
        language = make_language(config, name)
        for problem in chosen_problems(config, name):
            for num in config.num_examples if problem.task == "print" else (max(config.num_examples),):
                text = prompt(language, problem, num)
                for i in range(config.num_samples):
                    seed = config.seed + i
                    yield Question(name, problem.task, problem.name, paper_problems.VERSION, num, seed, text)


def sampling(config: Config) -> Sampling:
    return Sampling(config.temperature, config.top_p, config.max_tokens)


def back_end(config: Config) -> BackEnd:
    """Who is asked. Raises BackEndError where there is nobody."""
    if not config.model:
        raise BackEndError("whom to ask? name a --model")
    if config.back_end == "local":
        return load(Path(config.model), sampling(config))
    return Endpoint(
        config.model,
        sampling(config),
        requests_per_minute=config.requests_per_minute,
        timeout=config.timeout,
        num_retries=config.num_retries,
        backoff=config.backoff,
        limit_name=config.limit_name,
    )


def answer(config: Config, model: BackEnd, asked: list[Question], path: Path, is_stopped: Any) -> int:
    """Asks what is open; how many questions still are."""
    num_open = len(generation.missing(asked, model.settings, path))
    with Progress() as progress:
        bar = progress.add_task("questions", total=len(asked), completed=len(asked) - num_open)
        left = generation.generate(
            model,
            asked,
            path,
            num_workers=config.num_workers,
            is_stopped=is_stopped,
            progress=lambda num_done: progress.update(bar, completed=num_done),
        )
    return len(left)


def judge_all(config: Config, directory: Path, asked: list[Question]) -> dict[Group, Score]:
    """Runs every program that there is, keeps the verdicts, and scores what belongs together."""
    answered = samples.read(directory / "samples.jsonl")
    settings = samples.settings(config.model, sampling(config))
    of_problem = {
        (name, problem.task, problem.name): problem for name in config.languages for problem in problems(name)
    }
    languages = {name: make_language(config, name) for name in config.languages}
    groups: dict[Group, list[tuple[dict[str, Any], Verdict]]] = {}
    for question in asked:
        sample = answered.get(question.identity(settings))
        if sample is not None:
            problem = of_problem[question.language, question.task, question.problem]
            verdict = judge(languages[question.language], problem, sample["completion"])
            groups.setdefault((question.language, question.task, question.num_examples), []).append((sample, verdict))
    rows = [{"id": sample["id"], **verdict._asdict()} for group in groups.values() for sample, verdict in group]
    json_file.replace(directory / "verdicts.jsonl", "".join(json_file.dumps(row) + "\n" for row in rows))
    return {
        group: score([sample for sample, _ in judged], [verdict for _, verdict in judged], config.price)
        for group, judged in groups.items()
    }


def report(config: Config, directory: Path, scores: dict[Group, Score]) -> None:
    """The paper's table with this run below it, then all that was counted."""
    rows = [
        {"language": language, "task": task, "num_examples": num, **dataclasses.asdict(result)}
        for (language, task, num), result in scores.items()
    ]
    json_file.replace(directory / "results.json", json_file.dumps(rows, indent=2) + "\n")
    text = "\n".join([*beside_the_paper(config, scores), "", *counts(scores), "", *totals(scores)]) + "\n"
    json_file.replace(directory / "table.md", text)
    print(text + f"\nsaved in {directory}: table.md, results.json, verdicts.jsonl, samples.jsonl")


def beside_the_paper(config: Config, scores: dict[Group, Score]) -> list[str]:
    """Accuracies; this run's with Wilson's 95 % interval and the number of samples."""
    model = Path(config.model).name or "this run"
    lines = head("model", *(f"{language} {task}, {num} examples" for language, task, num in COLUMNS))
    lines += [row(name, *(f"{value:.2f}" for value in values)) for name, values in paper_scores().items()]
    for label, languages in (
        (model, {"brainfuck": "brainfuck", "befunge": "befunge"}),
        (f"{model}, commands renamed", {"brainfuck": "renamed"}),
        (f"{model}, in Python", {"brainfuck": "python", "befunge": "python"}),
    ):
        found = [scores.get((languages.get(language, ""), task, num)) for language, task, num in COLUMNS]
        if any(found):
            lines.append(row(label, *("" if result is None else interval(result) for result in found)))
    return lines


def counts(scores: dict[Group, Score]) -> list[str]:
    """A line for each language, task and number of examples."""
    names = ("language", "task", "examples", "problems", "samples", "solved", "pass@k", "by shown cases alone")
    lines = head(*names, "cut off", "tokens in", "tokens out", "cost", "how samples ended")
    for (language, task, num), result in scores.items():
        lines.append(
            row(
                language,
                task,
                num,
                result.num_problems,
                result.num_samples,
                interval(result),
                ", ".join(f"@{k} {value:.2f}" for k, value in result.pass_at.items()),
                f"{result.shown:.2f}",
                result.num_cut,
                result.num_prompt_tokens,
                result.num_completion_tokens,
                f"{result.cost:.4f}",
                ", ".join(f"{name} {count}" for name, count in result.results.items()),
            )
        )
    return lines


def totals(scores: dict[Group, Score]) -> list[str]:
    """Sentences below the tables."""
    num = sum(result.num_samples for result in scores.values())
    cost = sum(result.cost for result in scores.values())
    in_python = [result for (language, _, _), result in scores.items() if language == "python"]
    num_python = sum(result.num_samples for result in in_python)
    num_unsupported = sum(result.results.get("unsupported", 0) for result in in_python)
    lines = [f"{num} samples, cost {cost:.4f}. Intervals are Wilson's, 95 %, over the samples of these problems."]
    if num_python:
        lines.append(
            f"{num_unsupported} of {num_python} Python programs use more of Python than the control interprets."
        )
    return lines


def interval(result: Score) -> str:
    return f"{result.accuracy:.2f} [{result.low:.2f}, {result.high:.2f}] n={result.num_samples}"


def head(*names: str) -> list[str]:
    """The first two lines of a table."""
    return [row(*names), "|---" * len(names) + "|"]


def row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def open_run(config: Config, directory: Path) -> Any:
    """The directory, for this process alone. What only adds questions, or changes how they are asked, may differ."""
    adds = ("languages", "tasks", "num_examples", "num_problems", "num_samples")
    manner = ("resume", "ask", "requests_per_minute", "num_workers", "timeout", "num_retries", "backoff", "price")
    versions = {"reward-pretraining": version("reward-pretraining")}
    resume = config.resume and (directory / run_directory.CONFIG).exists()
    return run_directory.claim(directory, dataclasses.asdict(config), versions, resume, (*adds, *manner))


def parse(arguments: Sequence[str]) -> Config:
    """The settings on the command line, on top of a preset's. Raises SettingError where they make no sense."""
    return command_line.parse(arguments, PRESETS, __doc__, default="quick")


if __name__ == "__main__":
    try:
        main(parse(sys.argv[1:]))
    except (SettingError, RunError, BackEndError) as error:
        sys.exit(f"esolang_llm.py: {error}")
