"""What a language model is asked: a language's rules in full, worked examples with explanations, and one problem.

So the paper describes its prompts (section 3); their literal text is not public. For printing, the examples print other
words; for all other tasks they are of other kinds, because an example of the task itself would be its solution.
"""

from esolang.llm.languages.language import Example, Language
from esolang.paper_problems import Problem

MAX_EXAMPLES = 10
WORDS = ("hi", "so", "at", "me", "up", "go", "we", "ox", "by", "in", "an")
"""That examples print: one more than there are examples, since the word that is asked for is left out."""


def prompt(language: Language, problem: Problem, num_examples: int) -> str:
    """The whole text.

    Raises:
      ValueError: there are not so many examples.
    """
    if not 0 <= num_examples <= MAX_EXAMPLES:
        raise ValueError(f"num_examples must be 0 to {MAX_EXAMPLES}, got {num_examples}")
    parts = [f"You write programs in {language.title}. Here are its rules.", language.rules]
    for i, example in enumerate(examples(language, problem)[:num_examples]):
        parts.append(
            f"Example {i + 1}: a program that {example.statement}\n\n```\n{example.program}\n```\n\n"
            f"Explanation: {example.explanation}"
        )
    parts.append(
        f"Now write a program that {problem.statement}\n\n"
        "You may think aloud. At the end give the whole program in one code block between lines of ```."
    )
    return "\n\n".join(parts) + "\n"


def examples(language: Language, problem: Problem) -> tuple[Example, ...]:
    """Ten worked examples for this problem, the first ones first."""
    if problem.task == "print":
        return tuple(language.words(word) for word in WORDS if word != problem.name)[:MAX_EXAMPLES]
    return language.examples
