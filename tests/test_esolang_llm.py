"""Language models that code: prompts that tell the truth, answers that are never lost, programs that are never trusted.

The model is a stub on loopback, or a transformer with random weights; nothing leaves this machine.
"""

import ast
import hashlib
import http.server
import importlib.util
import itertools
import json
import math
import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from string import ascii_lowercase

import pytest

from esolang import paper_problems, python_subset
from esolang.llm import extraction, generation, paper_scores, samples
from esolang.llm.endpoint import Endpoint, Pace
from esolang.llm.generation import BackEndError, generate
from esolang.llm.languages.befunge import befunge
from esolang.llm.languages.brainfuck import brainfuck, renamed
from esolang.llm.languages.python import python
from esolang.llm.local_model import LocalModel, load
from esolang.llm.prompt import WORDS, examples, prompt
from esolang.llm.samples import Completion, Question, Sampling
from esolang.llm.scores import Price, pass_at, score
from esolang.llm.verdicts import Verdict, judge

SCRIPT = Path(__file__).parents[1] / "experiments" / "esolang_llm.py"
LANGUAGES = [brainfuck(), renamed(0), renamed(7), befunge(), python()]


def by_name(name):
    return next(language for language in LANGUAGES if language.name == name)


# The problems


def test_the_problems_are_those_of_the_paper():
    words = paper_problems.print_words()
    assert [problem.name for problem in words] == [a + b for a in ascii_lowercase for b in ascii_lowercase]
    for make, num in (
        (lambda: paper_problems.print_words(100), 100),
        (paper_problems.sort_five, 100),
        (paper_problems.copy_five, 100),
        (paper_problems.factorial, 15),
        (paper_problems.fibonacci, 1),
    ):
        problems = make()
        assert len({problem.name for problem in problems}) == num
        assert problems == make()
        for problem in problems:
            assert len(problem.shown) == 1
            assert problem.shown[0].expected.decode() in problem.statement
            assert all(case not in problem.shown for case in problem.hidden)


def test_what_is_expected_is_right():
    for problem in paper_problems.sort_five():
        for case in problem.cases:
            counts = [case.data.count(b"%d" % digit) for digit in range(10)]
            assert len(case.data) == 5 and case.expected == b"".join(b"%d" % d * n for d, n in enumerate(counts))
    for problem in paper_problems.copy_five():
        assert all(case.data == case.expected and len(case.data) == 5 for case in problem.cases)
    for case in itertools.chain.from_iterable(problem.cases for problem in paper_problems.factorial()):
        assert int(case.expected) == math.prod(range(1, int(case.data) + 1))
    for case in paper_problems.fibonacci()[0].cases:
        numbers = [int(word) for word in case.expected.split()]
        golden = [round(((1 + 5**0.5) / 2) ** i / 5**0.5) for i in range(1, int(case.data) + 1)]
        assert numbers == golden


@pytest.mark.parametrize(
    ("compare", "output", "is_accepted"),
    [
        ("words", b"1 1 2", True),
        ("words", b"1 1 2 \n", True),
        ("words", b"1\n1\n2", True),
        ("words", b"112", False),
        ("words", b"1 1 2 3", False),
        ("words", b"1 1", False),
        ("exact", b"1 1 2", True),
        ("exact", b"1 1 2 ", False),
    ],
)
def test_outputs_are_compared_word_by_word_or_exactly(compare, output, is_accepted):
    case = paper_problems.Case(b"3", b"1 1 2")
    problem = paper_problems.Problem("fibonacci", "3", "", (case,), (), compare)
    assert problem.accepts(output, case) == is_accepted


# Prompts


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_every_worked_example_does_what_it_says(language):
    worked = [*language.examples, *(language.words(word) for word in (*WORDS, "aa", "az", "za"))]
    assert len(language.examples) == 10
    for example in worked:
        assert example.cases
        for case in example.cases:
            ended, output = language.run(example.program, case.data)
            assert ended == "ok", example
            assert output.rstrip() == case.expected.rstrip(), example


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_a_prompt_holds_rules_examples_and_the_task_but_no_solution(language):
    problems = [paper_problems.print_words()[7 * 26 + 8], *paper_problems.sort_five(1), *paper_problems.copy_five(1)]
    problems += [*paper_problems.fibonacci(), *paper_problems.factorial(1)]
    assert problems[0].name == WORDS[0]
    for problem in problems:
        text = prompt(language, problem, 10)
        assert language.rules in text and problem.statement in text
        assert all(example.program in text and example.explanation in text for example in examples(language, problem))
        for k in (0, 1, 4, 10):
            blocks = re.findall(r"```\n(.*?)\n```", prompt(language, problem, k), re.DOTALL)
            assert blocks == [example.program for example in examples(language, problem)[:k]]
            assert [judge(language, problem, f"```\n{block}\n```").result == "solved" for block in blocks] == [
                False
            ] * k


def test_renamed_prompts_show_no_old_command_in_code():
    language = renamed(0)
    text = prompt(language, paper_problems.sort_five()[0], 10)
    assert "rain" not in text
    for code in re.findall(r"```\n(.*?)\n```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text):
        assert not set(code) & set("><+-.,[]"), code
    assert len(set(language.alphabet)) == 8
    assert language.alphabet == renamed(0).alphabet != renamed(1).alphabet


def test_renamed_programs_are_the_old_ones_in_other_characters():
    language, source = renamed(3), random.Random(0)
    for _ in range(200):
        old = "".join(source.choices("><+-.,[]", k=12))
        new = old.translate(str.maketrans("><+-.,[]", language.alphabet))
        assert language.run(new + old, b"xy") == by_name("brainfuck").run(old, b"xy")  # old commands are comments now


@pytest.mark.parametrize("num", [-1, 11])
def test_there_are_ten_worked_examples(num):
    with pytest.raises(ValueError, match="num_examples must be 0 to 10"):
        prompt(brainfuck(), paper_problems.print_words()[0], num)


# From completions to programs


@pytest.mark.parametrize(
    ("name", "completion", "program"),
    [
        ("brainfuck", "```\n+.\n```", "+."),
        ("brainfuck", "Sure! Here it is:\n```brainfuck\n+.\n```\nIt prints - well.", "+."),
        ("brainfuck", "First try:\n```\n-.\n```\nBetter:\n```bf\n+.\n>.\n```", "+.\n>."),
        ("brainfuck", "```\n+.", "+."),  # cut off
        ("brainfuck", "```\n+.\n```\n```\n\n```", "+."),  # the last block is empty
        ("brainfuck", "~~~\n+.\n~~~", "+."),
        ("brainfuck", "````\n```\n+.\n````", "```\n+."),
        ("brainfuck", "  ```\r\n+.\r\n  ```\r\n", "+."),
        ("brainfuck", "+++[>+<-]\n>.", "+++[>+<-]\n>."),
        ("brainfuck", "The program is\n\n+++.\n\nand that, I think, is all.", "+++."),
        ("brainfuck", "Use `+++.`, which is short.", "+++."),
        ("brainfuck", "I cannot do that, sorry.", ""),
        ("brainfuck", "", ""),
        ("brainfuck", " \n", ""),
        ("brainfuck", "<think>\n```\n-.\n```\n</think>+.", "+."),
        ("brainfuck", "<think>\n```\n-.\n```\nand then", ""),
        ("befunge", "```\n>v\n @\n```", ">v\n @"),
        ("befunge", "```\n\n  >v\n @\n\n```", "  >v\n @"),  # columns stay, empty rows go
        ("befunge", '"ih",,@', '"ih",,@'),
        ("befunge", "```befunge\n\n```", "```befunge\n\n```"),
        ("befunge", "Here:\n```\n>v\n @", ">v\n @"),  # cut off
        ("python", "print(1)\n", "print(1)"),
    ],
)
def test_the_program_is_found(name, completion, program):
    assert extraction.program(completion, by_name(name)) == program


def test_renamed_programs_are_found_by_their_own_characters():
    language = renamed(0)
    plus, dot = language.alphabet[2], language.alphabet[4]
    assert extraction.program(f"It is\n{plus}{plus}{dot}\nof course.", language) == plus + plus + dot
    assert extraction.program("++.", language) == ""


# Verdicts


def brainfuck_sort():
    """Counts all five digits down together and prints the round whenever one of them gets to 0.

    Cell 0 holds the code of the round, cell 1 how many rounds are left, and from cell 2 on there are three cells for
    each digit: the digit plus 1, or 0 once printed; whether it has just got to 0; a place to keep it meanwhile.
    """
    read, count = "", ""
    for cell in range(2, 17, 3):
        read += ">" * cell + "," + "-" * 47 + "<" * cell
        look = "[->+<[>-<[>>+<<-]]>[-" + "<" * (cell + 1) + "." + ">" * (cell + 1) + "]<]>>[<<+>>-]<<"
        count += ">" * cell + look + "<" * cell
    return "+" * 48 + ">" + "+" * 10 + "<" + read + ">[<" + count + "+>-]"


BEFUNGE_FACTORIAL = "&>:1-:v v *_$.@\n ^    _$>\\:^"
BEFUNGE_FIBONACCI = "&00p111p121pv\n\n            >00g!#@_11g.11g21g:11p+21p00g1-00p"


@pytest.mark.parametrize(
    ("name", "problem", "completion", "result"),
    [
        ("brainfuck", paper_problems.copy_five()[0], "```\n,.,.,.,.,.\n```", "solved"),
        ("brainfuck", paper_problems.copy_five()[0], "```\n,[.,]\n```", "solved"),
        ("brainfuck", paper_problems.sort_five()[0], f"```\n{brainfuck_sort()}\n```", "solved"),
        ("brainfuck", paper_problems.copy_five()[0], "```\n,.,.,.,.\n```", "wrong_output"),
        ("brainfuck", paper_problems.copy_five()[0], "```\n+[]\n```", "step_limit"),
        ("brainfuck", paper_problems.copy_five()[0], "```\n,.,.,.,.,.+[]\n```", "step_limit"),
        ("brainfuck", paper_problems.copy_five()[0], "```\n[\n```", "syntax_error"),
        ("brainfuck", paper_problems.copy_five()[0], "```\n<\n```", "tape_left"),
        ("brainfuck", paper_problems.copy_five()[0], "```\n+[.]\n```", "output_limit"),
        ("brainfuck", paper_problems.copy_five()[0], "```\n,.,.,.,.,. reads five – and prints\n```", "solved"),
        ("brainfuck", paper_problems.copy_five()[0], "No.", "no_program"),
        ("befunge", paper_problems.print_words()[0], '```\n"aa",,@\n```', "solved"),
        ("befunge", paper_problems.print_words()[0], "```\n“aa”,,@\n```", "non_ascii"),
        ("befunge", paper_problems.factorial()[2], "```\n6.@\n```", "only_shown"),
        ("befunge", paper_problems.factorial()[2], f"```\n{BEFUNGE_FACTORIAL}\n```", "solved"),
        ("befunge", paper_problems.fibonacci()[0], f"```\n{BEFUNGE_FIBONACCI}\n```", "solved"),
        ("python", paper_problems.sort_five()[0], "```python\nprint(''.join(sorted(input())))\n```", "solved"),
        ("python", paper_problems.sort_five()[0], "```python\nimport os\n```", "unsupported"),
        ("python", paper_problems.sort_five()[0], "```python\nprint(1 / 0)\n```", "runtime_error"),
    ],
)
def test_a_verdict_says_how_it_went(name, problem, completion, result):
    assert judge(by_name(name), problem, completion).result == result


# The part of Python that is interpreted


PROGRAMS = [
    ("print('hi')", ""),
    ("s = input()\nprint(''.join(sorted(s)))", "40312"),
    ("def f(n):\n    return 1 if n <= 1 else n * f(n - 1)\nprint(f(int(input())))", "15\n"),
    ("a, b = 1, 1\nfor _ in range(int(input())):\n    print(a, end=' ')\n    a, b = b, a + b", "9\n"),
    ("import math\nprint(math.factorial(int(input())))", "6"),
    ("import sys\na = []\nwhile len(a) < 3:\n    a.append(sys.stdin.readline().strip())\nprint(' '.join(a))", "x\ny\n"),
    ("import sys\nsys.stdout.write(sys.stdin.read())", "abcde"),
    (
        "a = [3, 1, 2]\nfor i in range(3):\n    for j in range(2 - i):\n        if a[j] > a[j + 1]:\n"
        "            a[j], a[j + 1] = a[j + 1], a[j]\nprint(a, *a, sep=',')",
        "",
    ),
    ("x = 7\nx //= 2\nx **= 3\nprint(x, -x % 5, x / 2, not x, x > 3 and x < 5 or 'no', 1 < x < 30)", ""),
    ("t = input()\nprint(t[::-1], t[1:], f'{len(t)}!', [c for c in t if c != '1'], sum(int(c) for c in t))", "4312\n"),
    ("for i in range(9):\n    if i == 2:\n        continue\n    if i == 5:\n        break\n    print(i)\nprint(i)", ""),
    ("def main():\n    print(max(3, 9), min([4, 2]), 2 in (1, 2))\nif __name__ == '__main__':\n    main()", ""),
    ("for i, c in enumerate('ab'):\n    print(i, c)\nfor a, b in zip([1], [2]):\n    print(a + b)", ""),
    ("a = [5, 4]\na.sort()\na.insert(0, 9)\na += [1]\na.extend('x')\nprint(a.pop(), a, sorted(a, reverse=True))", ""),
    ("print(*map(str, [1, 2]), list(reversed('ab')), tuple('ab'), int('7') + ord('a'), chr(98), str(3) * 2)", ""),
]


@pytest.mark.parametrize(("program", "data"), PROGRAMS)
def test_python_programs_do_what_python_does(program, data):
    """Python itself is the oracle, on the programs of this file."""
    truth = subprocess.run([sys.executable, "-ISc", program], input=data.encode(), capture_output=True, check=True)
    ran = python_subset.run(program, data.encode())
    assert (ran.ended, ran.output) == ("ok", truth.stdout)


@pytest.mark.parametrize(
    ("program", "ended"),
    [
        ("while True: pass", "step_limit"),
        ("for i in range(10**12): pass", "step_limit"),
        ("print(*range(10**12))", "step_limit"),
        ("while True: print('a' * 900)", "output_limit"),
        ("print(", "syntax_error"),
        ("return 1", "syntax_error"),
        ("(" * 3000, "syntax_error"),
        ("1 / 0", "runtime_error"),
        ("input()", "runtime_error"),
        ("x", "runtime_error"),
        ("[][0]", "runtime_error"),
        ("1 + 'a'", "runtime_error"),
        ("x = 1\nx()", "runtime_error"),
        ("import os", "unsupported"),
        ("from os import system", "unsupported"),
        ("__import__('os')", "unsupported"),
        ("eval('1')", "unsupported"),
        ("open('x')", "unsupported"),
        ("getattr(1, 'real')", "unsupported"),
        ("().__class__", "unsupported"),
        ("''.format", "unsupported"),
        ("'{0.__class__}'.format(1)", "unsupported"),
        ("f'{1:>9999999}'", "unsupported"),
        ("'%9999999d' % 1", "unsupported"),
        ("print.call", "unsupported"),
        ("str(print)", "unsupported"),
        ("class A: pass", "unsupported"),
        ("lambda: 0", "unsupported"),
        ("x = 9 ** 9 ** 9", "unsupported"),
        ("x = 3\nwhile True: x *= x", "unsupported"),
        ("x = 'a' * 10 ** 9", "unsupported"),
        ("x = 10 ** 9 * [0]", "unsupported"),
        ("x = 'a'\nwhile True: x += x", "unsupported"),
        ("x = [0]\nwhile True: x += x", "unsupported"),
        ("x = [0]\nfor i in x: x.append(i)", "unsupported"),
        ("x = []\nx.append(x)", "unsupported"),
        ("x = [0]\nx[0] = x", "unsupported"),
        ("list(range(10**12))", "unsupported"),
        ("sum(range(10**12))", "unsupported"),
        ("'a' in range(10**12)", "unsupported"),
        ("import math\nmath.factorial(10**6)", "unsupported"),
        ("def f(n): return f(n)\nf(0)", "unsupported"),
        ("def f(n): return n and f(n - 1)\nf(29)", "ok"),
        ("def f(n): return n and f(n - 1)\nf(30)", "unsupported"),
        ("#" * 20_000, "unsupported"),
    ],
)
def test_python_programs_can_neither_reach_out_nor_run_away(program, ended):
    ran = python_subset.run(program)
    assert ran.ended == ended
    assert ran.steps <= 20_001 and len(ran.output) <= 20_000


def test_nothing_is_executed_as_python():
    """The judge's own source has no call that would run a program."""
    for module in (python_subset, extraction):
        tree = ast.parse(Path(module.__file__).read_text())
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {"eval", "exec", "compile", "__import__", "subprocess.run", "os.system"}


# Scores


@pytest.mark.parametrize("num", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_solution(num):
    for num_solved in range(num + 1):
        tries = [True] * num_solved + [False] * (num - num_solved)
        for k in range(1, num + 1):
            subsets = list(itertools.combinations(tries, k))
            assert pass_at(k, num, num_solved) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)


def test_pass_at_k_of_many_samples():
    exact = 1 - math.comb(10_000 - 3, 100) / math.comb(10_000, 100)
    assert pass_at(100, 10_000, 3) == pytest.approx(exact, rel=1e-9)
    for k, num, num_solved in ((0, 5, 1), (6, 5, 1), (1, 5, 6), (1, 5, -1)):
        with pytest.raises(ValueError, match="makes no sense"):
            pass_at(k, num, num_solved)


def test_a_score_counts_everything():
    verdicts = [Verdict(result, 0, "") for result in ("solved", "only_shown", "wrong_output", "solved")]
    usage = {"prompt": 1_000, "completion": 500}
    answers = [
        {"problem": problem, "finish_reason": reason, "usage": usage}
        for problem, reason in (("a", "stop"), ("a", "length"), ("b", "stop"), ("b", "stop"))
    ]
    result = score(answers, verdicts, Price(2.0, 10.0))
    assert (result.num_problems, result.num_samples, result.accuracy, result.shown) == (2, 4, 0.5, 0.75)
    assert (result.low, result.high) == pytest.approx((0.1500, 0.8500), abs=5e-5)  # Wilson, 2 of 4
    assert result.pass_at == {1: 0.5}
    assert result.results == {"solved": 2, "only_shown": 1, "wrong_output": 1}
    assert (result.num_cut, result.num_prompt_tokens, result.num_completion_tokens) == (1, 4_000, 2_000)
    assert result.cost == pytest.approx(4_000 * 2e-6 + 2_000 * 10e-6)


def test_the_papers_table_has_its_averages():
    """Its text says 12 % in Brainf**k, 65.5 % printing by o1 with four and ten examples or so, 1 % sorting by o1."""
    table = paper_scores.paper_scores()
    assert len(table) == 6 and {len(row) for row in table.values()} == {len(paper_scores.COLUMNS)}
    assert sum(sum(row[:5]) for row in table.values()) / 30 == pytest.approx(0.124, abs=5e-4)
    assert sum(sum(row[5:]) for row in table.values()) / 30 == pytest.approx(0.431, abs=5e-4)
    assert table["o1"][3] == 0.01


# The file of samples


def question(number=0, seed=0, text="Say something."):
    return Question("brainfuck", "print", f"p{number}", 1, 4, seed, f"{text} {number}")


SETTINGS = samples.settings("stub", Sampling())


def write(path, *questions):
    with samples.open_to_append(path) as file:
        rows = (
            samples.line(one, SETTINGS, Completion(f"+.{one.problem}é\n", "stop", 3, 2), 1.0, 2.0) for one in questions
        )
        samples.append(file, rows)


def test_whatever_could_change_an_answer_is_another_sample():
    one = question()
    others = [question(1), question(seed=1), question(text="Say more.")]
    others += [
        Question(**{**vars(one), name: value})
        for name, value in (("version", 2), ("num_examples", 1), ("task", "sort"))
    ]
    identities = [other.identity(SETTINGS) for other in others]
    identities += [
        one.identity(samples.settings("other", Sampling())),
        one.identity(samples.settings("stub", Sampling(0.1))),
    ]
    assert len({one.identity(SETTINGS), *identities}) == 1 + len(identities)
    assert one.identity(SETTINGS) == question().identity(samples.settings("stub", Sampling()))


def test_samples_come_back_as_they_were(tmp_path):
    path = tmp_path / "samples.jsonl"
    assert samples.read(path) == {}
    write(path, question(0))
    write(path, question(1))
    kept = samples.read(path)
    assert list(kept) == [question(0).identity(SETTINGS), question(1).identity(SETTINGS)]
    sample = kept[question(1).identity(SETTINGS)]
    assert (sample["completion"], sample["usage"], sample["seed"]) == ("+.p1é\n", {"prompt": 3, "completion": 2}, 0)
    assert (sample["problem"], sample["version"], sample["settings"]) == ("p1", 1, SETTINGS)
    assert sample["prompt_hash"] == question(1).prompt_hash and "prompt" not in sample


def test_a_line_cut_at_any_byte_costs_that_sample_alone(tmp_path):
    path = tmp_path / "samples.jsonl"
    write(path, question(0))
    first = len(path.read_bytes())
    write(path, question(1))
    whole = path.read_bytes()
    for end in {*range(first, len(whole) + 1, 20), len(whole) - 1, len(whole)}:
        path.write_bytes(whole[:end])
        is_whole = end >= len(whole) - 1  # the line feed alone may be missing
        assert len(samples.read(path)) == 1 + is_whole
        write(path, question(2))
        assert [sample["problem"] for sample in samples.read(path).values()] == ["p0", *["p1"] * is_whole, "p2"]


# The endpoint


class Stub:
    """An endpoint on loopback that speaks OpenAI's chat completions.

    Args:
      fail: what to do in place of an answer, given how many requests came before: see `FAILURES`; None: answer.
    """

    def __init__(self, fail=lambda number: None, seconds=0.0, text="```\n+.\n```"):
        self.lock, self.requests, self.answered, self.headers = threading.Lock(), 0, [], []
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with stub.lock:
                    failure = fail(stub.requests)
                    stub.requests += 1
                    stub.headers.append((self.path, dict(self.headers), body))
                    if failure is None:
                        stub.answered.append((body["messages"][0]["content"], body.get("seed")))
                threading.Event().wait(seconds)
                if failure is None:
                    choice = {"message": {"content": text}, "finish_reason": "stop"}
                    usage = {"prompt_tokens": 7, "completion_tokens": 5}
                    self.send(200, json.dumps({"choices": [choice], "usage": usage}).encode())
                else:
                    FAILURES[failure](self)

            def send(self, status, text, **headers):
                self.send_response(status)
                for name, value in {**headers, "Content-Length": len(text)}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                self.wfile.write(text)

            def drop(self):
                """Closes the connection as a crash would."""
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            def half(self):
                """Promises more than it sends."""
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"choices": [')
                self.wfile.flush()
                self.drop()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


FAILURES = {
    "500": lambda handler: handler.send(500, b"oops"),
    "503": lambda handler: handler.send(503, b"busy", Retry_After=0),
    "429": lambda handler: handler.send(429, b"slow down", Retry_After=0),
    "429 in 7": lambda handler: handler.send(429, b"slow down", Retry_After=7),
    "drop": lambda handler: handler.drop(),
    "half": lambda handler: handler.half(),
    "no JSON": lambda handler: handler.send(200, b"<html>gateway</html>"),
    "no choice": lambda handler: handler.send(200, b'{"error": "overloaded"}'),
    "no list": lambda handler: handler.send(200, b'{"choices": null}'),
    "no text": lambda handler: handler.send(200, b'{"choices": [{"message": {"content": ["+."]}}]}'),
    "no Unicode": lambda handler: handler.send(200, b'"\xff"'),
    "401": lambda handler: handler.send(401, b'{"error": "wrong key"}'),
}


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    """Loopback is asked directly, whatever the environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def endpoint(stub, **options):
    given = {"api_key": "secret", "requests_per_minute": 1e9, "timeout": 10, "num_retries": 2, "backoff": 0.0} | options
    return Endpoint("stub", Sampling(), base_url=stub.url, **given)


def test_an_endpoint_that_fails_half_the_time_loses_no_sample(tmp_path):
    source = random.Random(0)
    kinds = ["500", "503", "429", "drop", "half", "no JSON", "no choice", "no list", "no text", "no Unicode"]
    failures = [source.choice(kinds) if source.random() < 0.5 else None for _ in range(10_000)]
    questions = [question(number, seed) for number in range(40) for seed in (0, 1)]
    path = tmp_path / "samples.jsonl"
    with Stub(failures.__getitem__) as stub:
        assert generate(endpoint(stub), questions, path, num_workers=8, num_passes=20) == []
        assert set(failures[: stub.requests]) == {None, *kinds}
        assert stub.requests > 1.5 * len(questions)
        assert sorted(stub.answered) == sorted((one.prompt, one.seed) for one in questions)  # each answered once
    kept = samples.read(path)
    assert len(path.read_bytes().splitlines()) == len(kept) == len(questions)
    assert set(kept) == {one.identity(SETTINGS) for one in questions}
    assert all(sample["completion"] == "```\n+.\n```" for sample in kept.values())
    assert all(sample["usage"] == {"prompt": 7, "completion": 5} for sample in kept.values())


def test_what_is_answered_is_not_asked_again(tmp_path):
    path = tmp_path / "samples.jsonl"
    questions = [question(number) for number in range(6)]
    write(path, *questions[:2])
    with Stub() as stub:
        assert generate(endpoint(stub), questions, path) == []
        assert sorted(prompt for prompt, _ in stub.answered) == [one.prompt for one in questions[2:]]
        assert generate(endpoint(stub), questions, path) == []
        assert stub.requests == 4


def test_questions_that_get_no_answer_are_told(tmp_path):
    with Stub(lambda number: "500") as stub:
        left = generate(endpoint(stub), [question(0), question(1)], tmp_path / "samples.jsonl", num_passes=2)
        assert left == [question(0), question(1)]
        assert stub.requests == 2 * 2 * 3  # passes, questions, first tries with two retries
    assert samples.read(tmp_path / "samples.jsonl") == {}


def test_stopping_keeps_what_is_answered(tmp_path):
    path = tmp_path / "samples.jsonl"
    with Stub() as stub:
        questions = [question(number) for number in range(20)]
        left = generate(endpoint(stub), questions, path, is_stopped=lambda: len(samples.read(path)) >= 3)
        assert 3 <= len(samples.read(path)) <= 5 and len(left) + len(samples.read(path)) == 20


def test_waits_grow_and_obey_retry_after(monkeypatch):
    slept = []
    failures = ["500", "500", "500", "500", "429 in 7", None]
    with Stub(failures.__getitem__) as stub:
        asked = endpoint(stub, num_retries=6, backoff=1.0)
        monkeypatch.setattr("time.sleep", slept.append)
        assert asked.ask("Say something.", 0).text
    waits = [seconds for seconds in slept if seconds > 0.1]
    assert waits[-1] == 7
    for wait, least in zip(waits[:-1], (2, 4, 8), strict=True):  # the first retry is at once
        assert least <= wait <= least + 1
    assert len({wait % 1 for wait in waits}) > 2  # jitter


def test_a_refusal_ends_the_run_at_once(tmp_path):
    with Stub(lambda number: "401") as stub:
        with pytest.raises(BackEndError, match=r"answers 401: .*wrong key"):
            generate(endpoint(stub), [question(number) for number in range(50)], tmp_path / "samples.jsonl")
        assert stub.requests <= 5


def test_a_slow_answer_is_given_up():
    with Stub(seconds=0.6) as stub, pytest.raises(generation.Unanswered, match="timed out"):
        endpoint(stub, timeout=0.1, num_retries=0).ask("Say something.", 0)


def test_what_the_endpoint_is_sent(monkeypatch):
    with Stub() as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url + "/")
        monkeypatch.setenv("OPENAI_API_KEY", "from the environment")
        asked = Endpoint("stub", Sampling(None, 0.9, 11), requests_per_minute=1e9, limit_name="max_completion_tokens")
        assert asked.ask("Say something.", 3) == Completion("```\n+.\n```", "stop", 7, 5)
        ((path, headers, body),) = stub.headers
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer from the environment"
    assert body == {
        "model": "stub",
        "messages": [{"role": "user", "content": "Say something."}],
        "max_completion_tokens": 11,
        "top_p": 0.9,
        "seed": 3,
    }
    assert "from the environment" not in json.dumps(asked.settings)


def test_a_netrc_does_not_replace_the_key(tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Stub() as stub:
        endpoint(stub).ask("Say something.", 0)
        endpoint(stub, api_key=None).ask("Say something.", 0)
    assert [headers.get("Authorization") for _, headers, _ in stub.headers] == ["Bearer secret", None]


def test_an_empty_completion_is_an_answer():
    with Stub(text=None) as stub:
        assert endpoint(stub).ask("Say something.", 0).text == ""


def test_no_more_are_begun_than_the_pace_allows(monkeypatch):
    now, slept = [100.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", slept.append)
    pace = Pace(2.0)
    for _ in range(3):
        pace.wait()
    now[0] = 200.0
    pace.wait()
    assert slept == [0.0, 2.0, 4.0, 0.0]


# A model on this machine


def test_a_local_model_needs_a_file(tmp_path):
    with pytest.raises(BackEndError, match="there is no model at"):
        load(tmp_path / "nowhere", Sampling())


def test_a_small_transformer_answers_the_same_for_the_same_seed(tmp_path):
    transformers = pytest.importorskip("transformers", reason="local models need transformers, an optional extra")
    torch = pytest.importorskip("torch", reason="local models need torch, an optional extra")
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = {"<end>": 0} | {chr(code): code - 31 for code in range(32, 127)}
    tokenizer = Tokenizer(models.WordLevel(letters, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(tmp_path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.LlamaConfig(vocab_size=len(letters), eos_token_id=0, bos_token_id=None, **sizes)
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)

    model = load(tmp_path, Sampling(temperature=1.0, top_p=None, max_tokens=20))
    assert isinstance(model, LocalModel) and model.settings["max_tokens"] == 20
    one = model.ask("Say something.", 1)
    assert one == model.ask("Say something.", 1) != model.ask("Say something.", 2)
    assert one.num_prompt_tokens == len("Say something.") and 0 < one.num_completion_tokens <= 20
    assert one.finish_reason == ("length" if one.num_completion_tokens == 20 else "stop")


# The experiment


def start(place, url, *arguments):
    environ = {**os.environ, "JAX_PLATFORMS": "cpu", "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "secret"}
    command = [sys.executable, str(SCRIPT), "--preset=tiny", "--model=stub", "--requests-per-minute=1e6", *arguments]
    return subprocess.Popen(command, cwd=place, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_reports(tmp_path):
    path = tmp_path / "runs/esolang_llm/tiny/samples.jsonl"
    with Stub(seconds=0.2, text="```\n,.,.,.,.,.\n```") as stub:
        killed = start(tmp_path, stub.url, "--num-workers=1")
        while not path.exists() or len(path.read_bytes().splitlines()) < 3:
            assert killed.poll() is None, killed.stderr.read()
            threading.Event().wait(0.02)
        killed.kill()
        killed.communicate()
        kept = samples.read(path)
        resumed = start(
            tmp_path, stub.url, "--num-workers=8", "--resume", "--price.prompt=1000", "--price.completion=1000"
        )
        _, complaint = resumed.communicate(timeout=60)
        assert resumed.returncode == 0, complaint
        hashes = [hashlib.sha256(prompt.encode()).hexdigest()[:16] for prompt, _ in stub.answered]
    assert 3 <= len(kept) < 14 and len(samples.read(path)) == 14
    assert len(hashes) <= 15  # what was under way when it was killed is asked again, nothing else
    assert all(hashes.count(sample["prompt_hash"]) == 1 for sample in kept.values())


@pytest.fixture(scope="module")
def experiment():
    spec = importlib.util.spec_from_file_location("esolang_llm", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["esolang_llm"] = module
    spec.loader.exec_module(module)
    return module


def test_a_run_leaves_a_table_beside_the_papers(experiment, tmp_path, monkeypatch, capsys):
    """14 questions: print and two more for each of four languages, and two more yet for Python."""
    monkeypatch.chdir(tmp_path)
    arguments = ["--preset=tiny", "--model=stub", "--requests-per-minute=1e6", "--price.prompt=1000"]
    with Stub(text="```\n,.,.,.,.,.\n```") as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        experiment.main(experiment.parse([*arguments, "--price.completion=1000"]))
        first = capsys.readouterr().out
        experiment.main(experiment.parse([*arguments, "--no-ask", "--resume"]))  # other prices, nothing asked
        assert stub.requests == 14
    directory = tmp_path / "runs/esolang_llm/tiny"
    table = (directory / "table.md").read_text()
    assert "| o1 | 0.71 | 0.64 | 0.65 | 0.01 | 0.95 | 0.70 | 0.83 | 0.93 | 0.00 | 0.00 |" in table
    row = "| brainfuck | copy | 1 | 1 | 1 | 1.00 [0.21, 1.00] n=1 | @1 1.00 | 1.00 | 0 | 7 | 5 | {} | solved 1 |"
    assert row.format("0.0120") in first and row.format("0.0070") in table
    assert "14 samples, cost 0.1680." in first and "14 samples, cost 0.0980." in table
    assert sum(row["num_samples"] for row in json.loads((directory / "results.json").read_text())) == 14
    verdicts = [json.loads(line) for line in (directory / "verdicts.jsonl").read_text().splitlines()]
    assert {verdict["id"] for verdict in verdicts} == set(samples.read(directory / "samples.jsonl"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset=huge"], "unknown preset 'huge'; choose one of quick, paper, tiny"),
        (["--num-samples=2"], "add --temperature=0.8"),
        (["--num-examples", "11"], "num_examples must be 0 to 10"),
        (["--max-tokens=0"], "max_tokens must be at least 1, got 0"),
        (["--timeout=0"], "timeout must be more than 0"),
        (["--temperature=-1"], "temperature must be at least 0"),
    ],
)
def test_settings_that_cannot_be_are_named(experiment, arguments, message):
    with pytest.raises(experiment.SettingError) as error:
        experiment.parse(arguments)
    assert message in str(error.value)


def test_without_a_model_there_is_nobody_to_ask(experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, message in (
        ([], "name a --model"),
        (["--back-end=local", "--model=nowhere"], "no model at nowhere"),
    ):
        with pytest.raises(BackEndError, match=message):
            experiment.main(experiment.parse(arguments))
    assert not (tmp_path / "runs").exists()


def test_the_paper_preset_asks_as_often_as_the_paper(experiment):
    counted = Counter(
        (one.language, one.task, one.num_examples) for one in experiment.questions(experiment.parse(["--preset=paper"]))
    )
    for k in (1, 4, 10):
        assert counted["brainfuck", "print", k] == counted["renamed", "print", k] == 676
        assert counted["befunge", "print", k] == counted["python", "print", k] == 100
    for language, task, num in (
        ("brainfuck", "sort", 100),
        ("brainfuck", "copy", 100),
        ("befunge", "fibonacci", 1),
        ("befunge", "factorial", 15),
        ("python", "factorial", 15),
        ("renamed", "sort", 100),
    ):
        assert [k for k in (1, 4, 10) if counted[language, task, k]] == [10]
        assert counted[language, task, 10] == num
