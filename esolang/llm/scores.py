"""Scores of many samples."""

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from esolang.llm.verdicts import SOLVED, Verdict
from rl_pretrain.evaluate import wilson


def pass_at(k: int, num: int, num_solved: int) -> float:
    """The chance that one of `k` samples solves a problem, told without bias from `num` samples: 1 - C(n-c, k)/C(n, k)
    (Chen et al. 2021, arXiv 2107.03374), as a product of ratios, which no binomial can overflow.

    Raises:
      ValueError: there are fewer samples than `k`, or more solved than there are.
    """
    if not (1 <= k <= num and 0 <= num_solved <= num):
        raise ValueError(f"pass@{k} of {num_solved} solved in {num} samples makes no sense")
    return 1.0 - math.prod(max(num - num_solved - i, 0) / (num - i) for i in range(k))


@dataclasses.dataclass(frozen=True)
class Price:
    """Money for a million tokens."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, num_prompt: int, num_completion: int) -> float:
        return (self.prompt * num_prompt + self.completion * num_completion) / 1e6


@dataclasses.dataclass(frozen=True)
class Score:
    """Of one language, task and number of examples.

    `low` and `high` are Wilson's 95 % interval for the success rate on these very problems, each sample counting as
    one trial. That is safe: several samples of each problem vary less than as many of problems drawn at random.
    """

    num_problems: int
    num_samples: int
    accuracy: float
    low: float
    high: float
    shown: float  # the rate that would be told if only the cases in the prompt were tried
    pass_at: dict[int, float]
    results: dict[str, int]
    num_cut: int  # answers cut off at the limit of tokens
    num_prompt_tokens: int
    num_completion_tokens: int
    cost: float


def score(samples: Sequence[Mapping[str, Any]], verdicts: Sequence[Verdict], price: Price) -> Score:
    """The score of samples that belong together."""
    solved = collections.defaultdict(list)
    for sample, verdict in zip(samples, verdicts, strict=True):
        solved[sample["problem"]].append(verdict.result == SOLVED)
    results = collections.Counter(verdict.result for verdict in verdicts)
    accuracy = results[SOLVED] / len(samples)
    low, high = wilson(accuracy, len(samples))
    fewest = min(map(len, solved.values()))
    prompt, completion = (sum(sample["usage"][name] for sample in samples) for name in ("prompt", "completion"))
    return Score(
        num_problems=len(solved),
        num_samples=len(samples),
        accuracy=accuracy,
        low=low,
        high=high,
        shown=(results[SOLVED] + results["only_shown"]) / len(samples),
        pass_at={
            k: sum(pass_at(k, len(tries), sum(tries)) for tries in solved.values()) / len(solved)
            for k in (1, 10, 100)
            if k <= fewest
        },
        results=dict(results.most_common()),
        num_cut=sum(sample["finish_reason"] == "length" for sample in samples),
        num_prompt_tokens=prompt,
        num_completion_tokens=completion,
        cost=price.of(prompt, completion),
    )
