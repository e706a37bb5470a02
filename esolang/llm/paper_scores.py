"""Accuracies that the paper reports (tables 1 and 2 of "General Intelligence Requires Reward-based Pretraining")."""

COLUMNS = (
    ("brainfuck", "print", 1),
    ("brainfuck", "print", 4),
    ("brainfuck", "print", 10),
    ("brainfuck", "sort", 10),
    ("brainfuck", "copy", 10),
    ("befunge", "print", 1),
    ("befunge", "print", 4),
    ("befunge", "print", 10),
    ("befunge", "fibonacci", 10),
    ("befunge", "factorial", 10),
)
"""Language, task, examples in the prompt. The paper has 10 for sort; for the other tasks it is a guess."""


def paper_scores() -> dict[str, tuple[float, ...]]:
    """For each model, in the order of `COLUMNS`."""
    return {
        "Llama 3.1 8B": (0.01, 0.04, 0.07, 0.00, 0.00, 0.19, 0.68, 0.72, 0.00, 0.00),
        "Llama 3.1 70B": (0.02, 0.07, 0.10, 0.00, 0.00, 0.92, 0.92, 0.93, 0.02, 0.00),
        "Qwen2.5 Coder 7B": (0.02, 0.02, 0.01, 0.00, 0.00, 0.15, 0.66, 0.74, 0.00, 0.00),
        "Qwen2.5 Coder 32B": (0.03, 0.02, 0.02, 0.00, 0.09, 0.08, 0.83, 0.94, 0.00, 0.00),
        "GPT-4o": (0.02, 0.09, 0.13, 0.00, 0.00, 0.72, 0.98, 1.00, 0.00, 0.00),
        "o1": (0.71, 0.64, 0.65, 0.01, 0.95, 0.70, 0.83, 0.93, 0.00, 0.00),
    }
