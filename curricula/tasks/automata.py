"""Machines that change their state step by step: finite automata, words of a group, cellular automata."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula.levels import Levels
from curricula.packing import pack
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_DIGIT, FIRST_SYMBOL, Token, digits, symbols


class AutomatonKnobs(NamedTuple):
    """Difficulty of `finite_automaton`."""

    length: int  # letters of the word
    states: int  # at most 16
    letters: int  # different ones, at most 10


def finite_automaton() -> Stream:
    """Runs a random finite automaton, told in the prompt, on a word.

    - Prompt: for each state (symbols a, b, …) `state = next next …`, the states that follow it under the letters 0, 1,
      …; then QUERY, the first state, and the word in digits. Answer: the state after the word, one symbol.
      Steps: states · (letters + 2) + length + 3.
    - Every letter permutes the states. Under random functions the states would soon run together, and the end of a
      word alone would tell where it leads; here every letter matters, and the last state is uniform.
    - Beyond: the word, and, not length, twice the states or twice the letters.
    - Floor: 1 / states for a constant symbol, 1 / 12 for a random one.
    - Kin: the loop of an interpreter.
    """
    levels = Levels(
        train=(
            AutomatonKnobs(2, 3, 2),
            AutomatonKnobs(3, 3, 2),
            AutomatonKnobs(4, 4, 2),
            AutomatonKnobs(5, 4, 2),
            AutomatonKnobs(6, 5, 3),
            AutomatonKnobs(7, 5, 3),
            AutomatonKnobs(8, 6, 3),
        ),
        beyond=(
            ("length ×1.5", AutomatonKnobs(12, 6, 3)),
            ("length ×2", AutomatonKnobs(16, 6, 3)),
            ("length ×4", AutomatonKnobs(32, 6, 3)),
            ("length ×8", AutomatonKnobs(64, 6, 3)),
            ("states ×2", AutomatonKnobs(8, 12, 3)),
            ("letters ×2", AutomatonKnobs(8, 6, 6)),
        ),
    )
    length, states, letters = (levels.most(knob) for knob in AutomatonKnobs._fields)

    def write(key: jax.Array, knobs: AutomatonKnobs) -> Script:
        table_key, start_key, word_key = jax.random.split(key, 3)
        state, letter = jnp.arange(states), jnp.arange(letters)
        priority = jnp.where(state < knobs.states, jax.random.uniform(table_key, (letters, states)), 2.0)
        table = jnp.argsort(priority, axis=1)  # [letter, state] → state
        start = jax.random.randint(start_key, (), 0, knobs.states)
        word = jax.random.randint(word_key, (length,), 0, knobs.letters)
        last = _fold(lambda state, letter: table[letter, state], start, word, knobs.length)
        head = jnp.stack([FIRST_SYMBOL + state, jnp.full(states, int(Token.EQUALS))], axis=1)
        rows = jnp.concatenate([head, FIRST_SYMBOL + table.T], axis=1)
        is_told = jnp.concatenate([jnp.full(2, True), letter < knobs.letters])
        prompt = pack(
            (rows, (state < knobs.states)[:, None] & is_told),
            (jnp.stack([jnp.int32(Token.QUERY), FIRST_SYMBOL + start]), jnp.full(2, True)),
            (FIRST_DIGIT + word, jnp.arange(length) < knobs.length),
        )
        return ask(*prompt, (FIRST_SYMBOL + last)[None], jnp.int32(1))

    max_steps = states * (letters + 2) + length + 3
    return Stream("finite_automaton", levels, write, max_steps, symbols(states))


class GroupKnobs(NamedTuple):
    """Difficulty of `group_word`: the group is cyclic, or that of the symmetries of a polygon."""

    length: int  # elements to multiply
    turns: int  # the corners of the polygon: 2 to 8
    flips: int  # 0: turns only, a cyclic group; 1: turns and flips, the dihedral group


def group_word() -> Stream:
    """Multiplies elements of a group.

    - Elements are the symmetries of a regular polygon with n corners. The first n symbols, a, b, …, are the turns by
      0, 1, … n-ths of a circle; with flips, the next n symbols are the same turns, each followed by a flip. The
      product of x and y is x, then y: turn i with flip f (0 or 1), times turn j with flip g, is turn i + (-1)^f · j
      mod n with flip f + g mod 2.
    - So n = 2 without flips is parity, other n are the cyclic groups, n = 3 with flips is S3, the permutations of
      three things. Without flips all elements commute; with flips the order matters.
    - Prompt: PLUS (without flips) or TIMES (with flips), the digit n, then `length` symbols. Answer: their product,
      one symbol. Steps: length + 3.
    - Elements are uniform, hence so is the product, and nothing less than the whole word tells it.
    - Beyond: the word, and groups never trained on.
    - Floor: 1 / order of the group for a constant symbol, 1 / 12 for a random one.
    - Kin: one cell that is counted up modulo its size in Brainf**k.
    """
    levels = Levels(
        train=(
            GroupKnobs(2, 2, 0),
            GroupKnobs(3, 2, 0),
            GroupKnobs(4, 3, 0),
            GroupKnobs(5, 3, 0),
            GroupKnobs(6, 3, 1),
            GroupKnobs(7, 3, 1),
            GroupKnobs(8, 3, 1),
        ),
        beyond=(
            ("length ×1.5", GroupKnobs(12, 3, 1)),
            ("length ×2", GroupKnobs(16, 3, 1)),
            ("length ×4", GroupKnobs(32, 3, 1)),
            ("length ×8", GroupKnobs(64, 3, 1)),
            ("5 turns", GroupKnobs(8, 5, 0)),
            ("6 turns and flips", GroupKnobs(8, 6, 1)),
        ),
    )
    length, order = levels.most("length"), max(knobs.turns * (1 + knobs.flips) for knobs in levels.rows)

    def write(key: jax.Array, knobs: GroupKnobs) -> Script:
        n = knobs.turns
        word = jax.random.randint(key, (length,), 0, n * (1 + knobs.flips))

        def times(x, y):
            turn = (x % n + jnp.where(x < n, 1, -1) * (y % n)) % n
            return turn + n * ((x // n + y // n) % 2)

        product = _fold(times, jnp.int32(0), word, knobs.length)
        group = jnp.stack([jnp.where(knobs.flips == 1, int(Token.TIMES), int(Token.PLUS)), FIRST_DIGIT + n])
        prompt = jnp.concatenate([group, FIRST_SYMBOL + word])
        return ask(prompt, 2 + knobs.length, (FIRST_SYMBOL + product)[None], jnp.int32(1))

    return Stream("group_word", levels, write, length + 3, symbols(order))


class CellularKnobs(NamedTuple):
    """Difficulty of `cellular_automaton`."""

    width: int  # cells of the row, at least 3
    steps: int  # 1 to 9
    wolfram_class: int  # of the rule: 2 periodic, 3 chaotic, 4 complex


def cellular_automaton() -> Stream:
    """Lets a row of cells change by a rule that looks at each cell and its two neighbours.

    - Prompt: eight digits 0 or 1, what a cell becomes where left, itself and right read 111, 110, 101, 100, 011, 010,
      001, 000; QUERY; the number of steps as a digit; then the row, digits 0 and 1, closed to a ring. Answer: the row
      after all steps, `width` digits. Steps: 2 · width + 10.
    - Rules are uniform among those of Wolfram's class (2 repeats itself, 3 is chaotic, 4 is complex; rules of class 1
      make all cells alike and are left out). Rows whose answer would be all alike, or the row itself, are drawn again.
    - Beyond: the width; not length, twice the steps, or rules of class 4, none of which is trained on.
    - Floor: 0 for a constant digit, 2 ** -width for a random one; at most 0.18 for the best fixed row (4000 instances).
    - Kin: a tape rewritten cell by cell from a second one.
    """
    levels = Levels(
        train=(
            CellularKnobs(3, 1, 2),
            CellularKnobs(4, 1, 2),
            CellularKnobs(4, 1, 3),
            CellularKnobs(5, 2, 3),
            CellularKnobs(6, 2, 3),
            CellularKnobs(7, 3, 3),
            CellularKnobs(8, 3, 3),
        ),
        beyond=(
            ("width ×1.5", CellularKnobs(12, 3, 3)),
            ("width ×2", CellularKnobs(16, 3, 3)),
            ("width ×4", CellularKnobs(32, 3, 3)),
            ("width ×8", CellularKnobs(64, 3, 3)),
            ("steps ×2", CellularKnobs(8, 6, 3)),
            ("rules of class 4", CellularKnobs(8, 3, 4)),
        ),
    )
    width, most_steps = levels.most("width"), levels.most("steps")
    tries = 16  # rows and rules drawn at once, of which the first good one is taken

    def write(key: jax.Array, knobs: CellularKnobs) -> Script:
        rule_key, row_key = jax.random.split(key)
        of_class = jnp.asarray(_wolfram_classes()) == knobs.wolfram_class
        rules = jax.random.categorical(rule_key, jnp.where(of_class, 0.0, -jnp.inf), shape=(tries,))
        bits = rules[:, None] >> jnp.arange(8) & 1  # [tries, neighbourhood]
        starts = jax.random.bernoulli(row_key, shape=(tries, width)).astype(jnp.int32)
        cell = jnp.arange(width)
        left, right = (cell - 1) % knobs.width, (cell + 1) % knobs.width

        def step(t, rows):
            after = jnp.take_along_axis(bits, 4 * rows[:, left] + 2 * rows + rows[:, right], axis=1)
            return jnp.where(t < knobs.steps, after, rows)

        ends = jax.lax.fori_loop(0, most_steps, step, starts)
        is_cell = cell < knobs.width
        is_dull = ~jnp.any((ends != ends[:, :1]) & is_cell, axis=1) | ~jnp.any((ends != starts) & is_cell, axis=1)
        best = jnp.argmin(is_dull)
        head = jnp.concatenate([bits[best, ::-1] + FIRST_DIGIT, jnp.stack([Token.QUERY, FIRST_DIGIT + knobs.steps])])
        prompt = jnp.concatenate([head, FIRST_DIGIT + starts[best]])
        return ask(prompt, 10 + knobs.width, FIRST_DIGIT + ends[best], knobs.width)

    return Stream("cellular_automaton", levels, write, 10 + 2 * width, digits(2))


def _fold(step: Any, state: jax.Array, word: jax.Array, length: jax.Array | int) -> jax.Array:
    """The state after the first `length` letters of a word."""

    def go_on(state, numbered):
        i, letter = numbered
        return jnp.where(i < length, step(state, letter), state).astype(jnp.int32), None

    return jax.lax.scan(go_on, jnp.asarray(state, jnp.int32), (jnp.arange(len(word)), word))[0]


@functools.cache
def _wolfram_classes() -> np.ndarray:
    """The class, 1 to 4, of each of the 256 elementary rules: int32 `[256]`.

    The list is of one rule of each kind (Martinez, "A note on elementary cellular automata classification", 2013);
    left and right, and 0 and 1, may be exchanged.
    """
    listed = {
        1: (0, 8, 32, 40, 128, 136, 160, 168),
        3: (18, 22, 30, 45, 60, 90, 105, 122, 126, 146, 150),
        4: (41, 54, 106, 110),
    }
    mirrored = [0, 4, 2, 6, 1, 5, 3, 7]  # neighbourhoods with left and right exchanged
    classes = np.full(256, 2, np.int32)
    for number, rules in listed.items():
        for rule in rules:
            bits = np.array([rule >> i & 1 for i in range(8)])
            for same in (bits, bits[mirrored], 1 - bits[::-1], 1 - bits[::-1][mirrored]):
                classes[same @ (1 << np.arange(8))] = number
    return classes
