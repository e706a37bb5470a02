"""A small part of Python, interpreted: how programs that a language model wrote are judged without being trusted.

Nothing here is compiled or executed as Python: the syntax tree is walked, and each kind of node is either named below
or refused. There is no attribute access but whitelisted calls, no import but of names that stand for nothing, and no
object that leads to one of Python's own. Numbers, texts and lists are bounded, lists are flat, and steps are counted,
so that neither time nor memory can be exhausted.

What is in: integers, floats, texts, flat lists and tuples, names, the operators of arithmetic, comparisons, `if`,
`while`, `for`, comprehensions with one `for`, functions, f-strings without format, `print`, `input` and the calls of
`BUILTINS` and `METHODS`. What is out, such as classes, dictionaries, lambdas and `try`, ends a run with "unsupported".
"""

import ast
import builtins
import dataclasses
import io
import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

MAX_SOURCE = 10_000  # characters
MAX_LENGTH = 1_000  # of a text or a list
MAX_BITS = 4_096  # of an integer
MAX_DEPTH = 30  # of calls, 15! by recursion with room to spare

OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
COMPARISONS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda x, y: x in y,
    ast.NotIn: lambda x, y: x not in y,
}
BUILTINS = {
    "abs": abs,
    "bool": bool,
    "chr": chr,
    "int": int,
    "len": len,
    "ord": ord,
    "range": range,
}
REDUCTIONS = {"max": max, "min": min, "sum": sum}
ITERATIONS = {"enumerate": enumerate, "reversed": reversed, "zip": zip}  # only what a `for` or a list runs through
METHODS = {
    str: ("isdigit", "join", "lower", "lstrip", "rstrip", "split", "strip", "upper"),
    list: ("append", "copy", "extend", "index", "insert", "pop", "reverse", "sort"),
}
MODULES = {"math": ("factorial",), "sys": ()}
ERRORS = (ArithmeticError, EOFError, LookupError, NameError, TypeError, ValueError)


class Ran(NamedTuple):
    """What a run of a program gave."""

    ended: str  # ok, step_limit, output_limit, syntax_error, runtime_error or unsupported
    output: bytes
    steps: int  # nodes of the syntax tree that were visited


def run(program: str, data: bytes = b"", max_steps: int = 20_000, max_output: int = 10_000) -> Ran:
    """Interprets a program on its input."""
    machine = Machine(data, max_steps, max_output)
    try:
        if len(program) > MAX_SOURCE:
            raise Unsupported("a long program")
        tree = ast.parse(program)  # builds the tree, runs nothing
    except Unsupported:
        return Ran("unsupported", b"", 0)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return Ran("syntax_error", b"", 0)
    try:
        machine.execute(tree.body)
        ended = "ok"
    except Limit as limit:
        ended = limit.args[0]
    except (Break, Continue, Return):  # where there is nothing to leave
        ended = "syntax_error"
    except (Unsupported, RecursionError):
        ended = "unsupported"
    except ERRORS:
        ended = "runtime_error"
    return Ran(ended, machine.output.getvalue().encode(), machine.steps)  # `write` lets nothing else in


# N818 wants names in -Error; these are ways for control to leave the walk, not faults of ours.
class Unsupported(Exception):  # noqa: N818
    """The program uses something that is left out here."""


class Limit(Exception):  # noqa: N818
    """The program has had its share of steps or output."""


class Break(Exception):  # noqa: N818
    """Leaves a loop."""


class Continue(Exception):  # noqa: N818
    """Leaves a turn of a loop."""


class Return(Exception):  # noqa: N818
    """Leaves a function with a value."""


@dataclasses.dataclass(frozen=True)
class Callee:
    """What a name of a function stands for."""

    call: Callable[..., Any]


class Machine:
    """A program while it runs."""

    def __init__(self, data: bytes, max_steps: int, max_output: int):
        self.input = io.StringIO(data.decode("latin-1"))
        self.output = io.StringIO()
        self.max_steps, self.max_output, self.steps = max_steps, max_output, 0
        self.depth = 0
        self.names: dict[str, Any] = {name: Callee(call) for name, call in (BUILTINS | ITERATIONS).items()}
        self.names |= {"__name__": "__main__", "print": Callee(self.print), "input": Callee(self.read_line)}
        self.names |= {"list": Callee(self.list_of), "tuple": Callee(lambda *values: tuple(self.list_of(*values)))}
        self.names |= {"map": Callee(self.apply), "sorted": Callee(self.sorted_list), "str": Callee(self.str_of)}
        self.names |= {name: Callee(self.reduction(call)) for name, call in REDUCTIONS.items()}
        self.local: dict[str, Any] = self.names

    def count(self) -> None:
        self.steps += 1
        if self.steps > self.max_steps:
            raise Limit("step_limit")

    # Statements

    def execute(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.count()
            match statement:
                case ast.Expr(value):
                    self.value(value)
                case ast.Assign(targets, value):
                    result = self.value(value)
                    for target in targets:
                        self.assign(target, result)
                case ast.AnnAssign(ast.Name() as target, _, ast.expr() as value):
                    self.assign(target, self.value(value))
                case ast.AugAssign(ast.Name() | ast.Subscript() as target, op, value):
                    now = self.value(ast.Name(target.id) if isinstance(target, ast.Name) else target)
                    self.assign(target, self.operate(op, now, self.value(value)))
                case ast.If(test, body, orelse):
                    self.execute(body if self.value(test) else orelse)
                case ast.While(test, body, []):
                    self.loop(iter(lambda: bool(self.value(test)), False), None, body)
                case ast.For(target, iterable, body, []):
                    self.loop(self.items(self.value(iterable)), target, body)
                case ast.FunctionDef(name, ast.arguments([], parameters, None, [], [], None, []), body, []):
                    self.local[name] = self.function([parameter.arg for parameter in parameters], body)
                case ast.Return(value):
                    raise Return(None if value is None else self.value(value))
                case ast.Break():
                    raise Break
                case ast.Continue():
                    raise Continue
                case ast.Pass():
                    pass
                case ast.Import(names) if all(name.name in MODULES and name.asname is None for name in names):
                    pass
                case _:
                    raise Unsupported(type(statement).__name__)

    def loop(self, items: Iterator[Any], target: ast.expr | None, body: list[ast.stmt]) -> None:
        for item in items:
            self.count()
            if target is not None:
                self.assign(target, item)
            try:
                self.execute(body)
            except Continue:
                continue
            except Break:
                return

    def assign(self, target: ast.expr, value: Any) -> None:
        match target:
            case ast.Name(name):
                self.local[name] = value
            case ast.Tuple(parts) | ast.List(parts) if not any(isinstance(part, ast.Starred) for part in parts):
                values = list(self.items(value))
                if len(values) != len(parts):
                    raise ValueError
                for part, item in zip(parts, values, strict=True):
                    self.assign(part, item)
            case ast.Subscript(of, index) if not isinstance(index, ast.Slice):
                holder = self.value(of)
                holder[self.value(index)] = self.scalar(value)
            case _:
                raise Unsupported("assignment")

    def function(self, parameters: list[str], body: list[ast.stmt]) -> Callee:
        def call(*values: Any) -> Any:
            if len(values) != len(parameters):
                raise TypeError
            if self.depth == MAX_DEPTH:
                raise Unsupported("deep recursion")
            outer, self.local = self.local, dict(zip(parameters, values, strict=True))
            self.depth += 1
            try:
                self.execute(body)
            except Return as result:
                return result.args[0]
            finally:
                self.local, self.depth = outer, self.depth - 1

        return Callee(call)

    # Expressions

    def value(self, node: ast.expr) -> Any:
        self.count()
        match node:
            case ast.Constant(value) if value is None or isinstance(value, bool | int | float | str):
                return self.bounded(value)
            case ast.Name(name):
                if name not in self.local and name not in self.names:
                    raise Unsupported(name) if hasattr(builtins, name) or name in MODULES else NameError(name)
                return self.local.get(name, self.names.get(name))
            case ast.List(parts):
                return self.list_of(self.value_of_parts(parts))
            case ast.Tuple(parts):
                return tuple(self.list_of(self.value_of_parts(parts)))
            case ast.BinOp(left, op, right):
                return self.operate(op, self.value(left), self.value(right))
            case ast.UnaryOp(op, operand) if type(op) in UNARY:
                return UNARY[type(op)](self.value(operand))
            case ast.BoolOp(op, parts):
                for part in parts:
                    result = self.value(part)
                    if bool(result) == isinstance(op, ast.Or):
                        break
                return result
            case ast.Compare(left, ops, rights):
                return self.compare(self.value(left), ops, rights)
            case ast.IfExp(test, body, orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.Subscript(of, ast.Slice(lower, upper, step)):
                bounds = [None if bound is None else self.value(bound) for bound in (lower, upper, step)]
                return self.value(of)[slice(*bounds)]
            case ast.Subscript(of, index):
                return self.value(of)[self.value(index)]
            case ast.ListComp(element, [one]) | ast.GeneratorExp(element, [one]) if not one.is_async:
                return self.list_of(self.comprehend(element, one))
            case ast.JoinedStr(parts):
                return self.bounded("".join(self.text(part) for part in parts))
            case ast.Call(function, arguments, keywords):
                return self.call(function, arguments, keywords)
        raise Unsupported(type(node).__name__)

    def value_of_parts(self, parts: list[ast.expr]) -> Iterator[Any]:
        for part in parts:
            if isinstance(part, ast.Starred):
                yield from self.items(self.value(part.value))
            else:
                yield self.value(part)

    def comprehend(self, element: ast.expr, one: ast.comprehension) -> Iterator[Any]:
        for item in self.items(self.value(one.iter)):
            self.assign(one.target, item)
            if all(self.value(test) for test in one.ifs):
                yield self.value(element)

    def compare(self, left: Any, ops: list[ast.cmpop], rights: list[ast.expr]) -> bool:
        for op, node in zip(ops, rights, strict=True):
            if type(op) not in COMPARISONS:
                raise Unsupported("comparison")
            right = self.value(node)
            if isinstance(op, ast.In | ast.NotIn) and not isinstance(right, str | list | tuple):
                right = self.list_of(right)
            if not COMPARISONS[type(op)](left, right):
                return False
            left = right
        return True

    def operate(self, op: ast.operator, left: Any, right: Any) -> Any:
        """Arithmetic, refused beforehand where the result would be too large."""
        if type(op) not in OPERATORS or (isinstance(left, str) and isinstance(op, ast.Mod)):
            raise Unsupported(type(op).__name__)
        match op, left, right:
            case ast.Pow(), int(), int() if right * left.bit_length() > MAX_BITS:
                raise Unsupported("a large number")
            case (ast.Mult(), int() as times, str() | list() | tuple() as of) | (
                ast.Mult(),
                str() | list() | tuple() as of,
                int() as times,
            ) if times * len(of) > MAX_LENGTH:
                raise Unsupported("a long text")
        return self.bounded(OPERATORS[type(op)](left, right))

    def text(self, part: ast.expr) -> str:
        """A piece of an f-string."""
        match part:
            case ast.Constant(str() as text):
                return text
            case ast.FormattedValue(value, -1, None):
                return str(self.scalar(self.value(value)))
        raise Unsupported("format")

    def call(self, function: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Any:
        named = {keyword.arg: self.value(keyword.value) for keyword in keywords if keyword.arg}
        if named.keys() - {"end", "sep", "reverse"} or len(named) < len(keywords):
            raise Unsupported("keywords")
        match function:
            case ast.Name():
                callee = self.value(function)
                if not isinstance(callee, Callee):
                    raise TypeError
                return self.bounded(callee.call(*self.value_of_parts(arguments), **named))
            case ast.Attribute(ast.Name("math"), "factorial") if "math" not in self.local:
                (number,) = self.value_of_parts(arguments)
                if isinstance(number, int) and number > 500:
                    raise Unsupported("a large number")
                return self.bounded(math.factorial(number))
            case ast.Attribute(ast.Attribute(ast.Name("sys"), "stdin"), "readline" | "read" as name):
                return self.bounded(getattr(self.input, name)())
            case ast.Attribute(ast.Attribute(ast.Name("sys"), "stdout"), "write"):
                (text,) = self.value_of_parts(arguments)
                return self.print(text, end="")
            case ast.Attribute(of, name):
                holder, values = self.value(of), list(self.value_of_parts(arguments))
                if name not in METHODS.get(type(holder), ()):
                    raise Unsupported(name)
                if name in ("append", "insert"):
                    self.scalar(values[-1])
                if name in ("join", "extend"):
                    values = [self.list_of(*values)]
                result = self.bounded(getattr(holder, name)(*values, **named))
                self.bounded(holder)
                return result
        raise Unsupported("call")

    # What values may be

    def bounded(self, value: Any) -> Any:
        """The value, if it is small enough."""
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise Unsupported("a large number")
        if isinstance(value, str | list | tuple) and len(value) > MAX_LENGTH:
            raise Unsupported("a long text")
        return value

    def scalar(self, value: Any) -> Any:
        """The value, if it may stand in a list."""
        if not (value is None or isinstance(value, bool | int | float | str)):
            raise Unsupported("a nested list")
        return value

    def items(self, values: Any) -> Iterator[Any]:
        """The items of something iterable, a step each."""
        if not isinstance(values, Iterable):
            raise TypeError
        for item in values:
            self.count()
            yield item

    # Functions that print, read, or run through lists

    def list_of(self, values: Any = ()) -> list[Any]:
        result = []
        for item in self.items(values):
            result.append(self.scalar(item))
            self.bounded(result)
        return result

    def apply(self, function: Any, values: Any) -> list[Any]:
        if not isinstance(function, Callee):
            raise TypeError
        return self.list_of(function.call(item) for item in self.items(values))

    def sorted_list(self, values: Any, reverse: bool = False) -> list[Any]:
        return sorted(self.list_of(values), reverse=reverse)

    def reduction(self, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *values: call(self.list_of(values[0])) if len(values) == 1 else call(*values)

    def str_of(self, value: Any = "") -> str:
        """A text for what has one: a function or an iterator would show its address."""
        return str(value) if isinstance(value, list | tuple) else str(self.scalar(value))

    def print(self, *values: Any, sep: str = " ", end: str = "\n") -> None:
        text = io.StringIO()
        print(*map(self.str_of, values), sep=sep, end=end, file=text)
        self.write(text.getvalue())

    def write(self, text: str) -> None:
        """Raises UnicodeEncodeError, a ValueError, for half a character (U+D800 to U+DFFF), as Python would."""
        text.encode()
        self.output.write(text)
        if self.output.tell() > self.max_output:
            raise Limit("output_limit")

    def read_line(self, prompt: str = "") -> str:
        """`input`; what it asks is printed, too, as it would be on a terminal's standard output."""
        self.write(self.str_of(prompt))
        line = self.input.readline()
        if not line:
            raise EOFError
        return self.bounded(line.removesuffix("\n"))
