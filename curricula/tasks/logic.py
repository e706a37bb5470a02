"""True or false: circuits, what follows from facts and rules, and who tells the truth."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.levels import Levels
from curricula.packing import pack
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_DIGIT, FIRST_SYMBOL, NUM_SYMBOLS, Token

YES_NO = (int(Token.YES), int(Token.NO))


class CircuitKnobs(NamedTuple):
    """Difficulty of `circuit`."""

    gates: int
    variables: int  # 2 to 16


def circuit() -> Stream:
    """Evaluates a circuit of and, or, and exclusive or.

    - Prompt: for each variable (symbols a, b, …) `variable value`, the value 0 or 1; QUERY; then the gates in the order
      in which they work, each `variable = left operation right`: TIMES is and, PLUS is or, MINUS is exclusive or (the
      operands differ). Answer: YES if the last gate gives 1, else NO. Steps: 2 · variables + 5 · gates + 2.
    - A gate writes to any variable, so 16 symbols serve any number of gates. One operand is what the gate before gave,
      left or right at random; the other is another variable. So all gates form one chain, as deep as it is long.
    - Operations are drawn first, then a fair coin says what is to come out, then variables and values are drawn until
      it does: so neither the number of gates nor the operations, the last one's say, tell the answer.
    - Beyond: the gates; not length, twice the variables.
    - Floor: 1/2.
    - Kin: conditionals.
    """
    levels = Levels(
        train=(
            CircuitKnobs(2, 3),
            CircuitKnobs(3, 3),
            CircuitKnobs(4, 4),
            CircuitKnobs(5, 5),
            CircuitKnobs(6, 6),
            CircuitKnobs(7, 7),
            CircuitKnobs(8, 8),
        ),
        beyond=(
            ("gates ×1.5", CircuitKnobs(12, 8)),
            ("gates ×2", CircuitKnobs(16, 8)),
            ("gates ×4", CircuitKnobs(32, 8)),
            ("gates ×8", CircuitKnobs(64, 8)),
            ("variables ×2", CircuitKnobs(8, 16)),
        ),
    )
    gates, variables = levels.most("gates"), levels.most("variables")
    tries = 24  # of which the first one with the right result is taken

    def write(key: jax.Array, knobs: CircuitKnobs) -> Script:
        operation_key, result_key, other_key, target_key, swap_key, value_key = jax.random.split(key, 6)
        operation = jax.random.randint(operation_key, (gates,), 0, 3)
        result = jax.random.randint(result_key, (), 0, 2)
        target = jax.random.randint(target_key, (tries, gates + 1), 0, knobs.variables)
        chained, target = target[:, :-1], target[:, 1:]  # the gate before wrote to the first; any, for the first gate
        # Any variable but the chained one.
        other = (chained + jax.random.randint(other_key, (tries, gates), 1, knobs.variables)) % knobs.variables
        values = jax.random.randint(value_key, (tries, variables), 0, 2)
        which = jnp.arange(tries)

        def work(values, gate):
            i, operation, chained, other, target = gate
            x, y = values[which, chained], values[which, other]
            out = jnp.stack([x & y, x | y, x ^ y])[operation]
            return jnp.where(i < knobs.gates, values.at[which, target].set(out), values), out

        wires = (jnp.arange(gates), operation, chained.T, other.T, target.T)
        outs = jax.lax.scan(work, values, wires)[1]  # [gate, try]
        best = jnp.argmax(outs[knobs.gates - 1] == result)
        chained, other, target, values = (drawn[best] for drawn in (chained, other, target, values))
        is_swapped = jax.random.bernoulli(swap_key, shape=(gates,))
        left, right = jnp.where(is_swapped, other, chained), jnp.where(is_swapped, chained, other)
        sign = jnp.array([int(Token.TIMES), int(Token.PLUS), int(Token.MINUS)])[operation]
        equals = jnp.full(gates, int(Token.EQUALS))
        lines = jnp.stack([FIRST_SYMBOL + target, equals, FIRST_SYMBOL + left, sign, FIRST_SYMBOL + right], axis=1)
        variable = jnp.arange(variables)
        prompt = pack(
            (jnp.stack([FIRST_SYMBOL + variable, FIRST_DIGIT + values], 1), (variable < knobs.variables)[:, None]),
            (jnp.array([int(Token.QUERY)]), jnp.full(1, True)),
            (lines, (jnp.arange(gates) < knobs.gates)[:, None]),
        )
        return ask(*prompt, _yes_or_no(outs[knobs.gates - 1, best] == 1)[None], jnp.int32(1))

    return Stream("circuit", levels, write, 2 * variables + 5 * gates + 2, YES_NO)


class HornKnobs(NamedTuple):
    """Difficulty of `horn`."""

    depth: int  # rules from a fact to what is asked: 1 to 5
    distractors: int  # rules that never apply


def horn() -> Stream:
    """Tells whether something follows from facts and rules.

    - Prompt: facts `= c` and rules `a b = c` (if a and b, then c) in random order; then QUERY and a symbol. Answer: YES
      if it follows, else NO. Steps: 4 · (2 · depth + distractors) + 2 · facts + 3, with 3 or 4 facts.
    - There are two chains of `depth` rules, each of which needs the one before and one of two facts. In one of them
      something is missing at its beginning: its first fact, or what else its first rule needs. The query is the end of
      either, as a fair coin says that is tossed apart from the rules: so the chain must be followed all the way, and
      nothing else tells the answer. Distractors seem to give any member of a chain, but need one of two symbols that
      are neither facts nor given by a rule.
    - Beyond: distractors ×1.5, ×2, ×4 and ×8, which make the prompt long; not length, depth 5, the greatest that 16
      symbols allow for two chains.
    - Floor: 1/2.
    - Kin: conditionals (logic programs run forwards).
    """
    levels = Levels(
        train=(
            HornKnobs(2, 0),
            HornKnobs(2, 2),
            HornKnobs(3, 3),
            HornKnobs(3, 4),
            HornKnobs(4, 5),
            HornKnobs(4, 6),
            HornKnobs(4, 8),
        ),
        beyond=(
            ("distractors ×1.5", HornKnobs(4, 12)),
            ("distractors ×2", HornKnobs(4, 16)),
            ("distractors ×4", HornKnobs(4, 32)),
            ("distractors ×8", HornKnobs(4, 64)),
            ("depth 5", HornKnobs(5, 8)),
        ),
    )
    depth, distractors = levels.most("depth"), levels.most("distractors")

    def write(key: jax.Array, knobs: HornKnobs) -> Script:
        fact_key, side_key, flaw_key, dead_key, query_key, swap_key, order_key, name_key = jax.random.split(key, 8)
        # Atoms 0, 1: facts; 2, 3: never true; then members 0 … depth of the sound chain, and of the flawed one.
        chain = 4 + jnp.arange(2)[:, None] * (depth + 1) + jnp.arange(depth + 1)
        has_no_start, no_help = jax.random.bernoulli(flaw_key), jax.random.randint(side_key, (), 2, 4)
        help_ = jax.random.randint(fact_key, (2, depth), 0, 2)
        help_ = help_.at[1, 0].set(jnp.where(has_no_start, help_[1, 0], no_help))
        rules = jnp.stack([chain[:, :-1], help_, chain[:, 1:]], axis=2).reshape(-1, 3)
        is_rule = jnp.tile(jnp.arange(depth) < knobs.depth, 2)
        false_key, with_key, head_key, side_of_key = jax.random.split(dead_key, 4)
        side = jax.random.randint(side_of_key, (2, distractors), 0, 2)
        member = jax.random.randint(with_key, (distractors,), 0, knobs.depth + 1)
        head = jax.random.randint(head_key, (distractors,), 1, knobs.depth + 1)
        false = jax.random.randint(false_key, (distractors,), 2, 4)
        dead = jnp.stack([chain[side[0], member], false, chain[side[1], head]], axis=1)
        facts = jnp.array([0, 1, 4, 4 + depth + 1])
        is_fact = jnp.stack([jnp.bool_(True), jnp.bool_(True), jnp.bool_(True), ~has_no_start])
        # All lines as `left right = head`; facts have no left and no right.
        atoms = jnp.concatenate([rules, dead, jnp.stack([facts, facts, facts], axis=1)])
        is_swapped = jax.random.bernoulli(swap_key, shape=(len(atoms),))
        left, right = (jnp.where(is_swapped, atoms[:, i], atoms[:, 1 - i]) for i in (0, 1))
        is_used = jnp.concatenate([is_rule, jnp.arange(distractors) < knobs.distractors, is_fact])
        has_body = jnp.arange(len(atoms)) < len(atoms) - len(facts)
        names = FIRST_SYMBOL + jax.random.permutation(name_key, NUM_SYMBOLS)
        equals = jnp.full(len(atoms), int(Token.EQUALS))
        lines = jnp.stack([names[left], names[right], equals, names[atoms[:, 2]]], axis=1)
        is_told = is_used[:, None] & (has_body[:, None] | (jnp.arange(4) >= 2))
        order = jax.random.permutation(order_key, len(atoms))
        asks_flawed = jax.random.bernoulli(query_key).astype(jnp.int32)
        query = jnp.stack([jnp.int32(Token.QUERY), names[chain[asks_flawed, knobs.depth]]])
        prompt = pack((lines[order], is_told[order]), (query, jnp.full(2, True)))
        return ask(*prompt, _yes_or_no(asks_flawed == 0)[None], jnp.int32(1))

    max_steps = 4 * (2 * depth + distractors + 4) + 3
    return Stream("horn", levels, write, max_steps, YES_NO)


class KnightsKnobs(NamedTuple):
    """Difficulty of `knights_and_knaves`."""

    people: int  # 2 to 8
    statements: int  # at least `people`


def knights_and_knaves() -> Stream:
    """Finds out who always tells the truth (a knight) and who always lies (a knave).

    - Prompt: statements, each followed by BLANK. `a b YES` is "b is a knight", said by a; `a b NO` is "b is a knave";
      `a b = c` is "b and c are the same", and `a b - c` is "b and c are not the same"; people are symbols a, b, ….
      Each of them says something. Answer: for a, b, … in order YES for a knight, NO for a knave. Steps: at most
      5 · statements + people.
    - Exactly one answer agrees with all statements. Who is what is drawn first, then statements until no other of the
      2 ** people answers agrees. That depends on whom the statements are about only, so every answer stays as likely.
    - Beyond: 7 and 8 people (more would make instances dear, since all answers are tried); not more people, 2 or 4
      times the statements.
    - Floor: 2 ** -people.
    - Kin: none close (search).
    """
    levels = Levels(
        train=(KnightsKnobs(2, 2), KnightsKnobs(3, 3), KnightsKnobs(4, 4), KnightsKnobs(5, 5), KnightsKnobs(6, 6)),
        beyond=(
            ("7 people", KnightsKnobs(7, 7)),
            ("8 people", KnightsKnobs(8, 8)),
            ("statements ×2", KnightsKnobs(6, 12)),
            ("statements ×4", KnightsKnobs(6, 24)),
        ),
    )
    people, statements = levels.most("people"), levels.most("statements")
    max_tries = 200

    def write(key: jax.Array, knobs: KnightsKnobs) -> Script:
        truth_key, try_key, order_key = jax.random.split(key, 3)
        person, said = jnp.arange(people), jnp.arange(statements)
        is_knight = jax.random.bernoulli(truth_key, shape=(people,)) & (person < knobs.people)
        worlds = (jnp.arange(2**people)[:, None] >> person & 1) == 1
        is_world = jnp.arange(2**people) < 2**knobs.people

        def draw(tries):
            """Speakers, whom they speak of (the same one twice in a statement about one), at random."""
            speaker_key, pair_key, other_key = jax.random.split(jax.random.fold_in(try_key, tries), 3)
            speaker = jax.random.randint(speaker_key, (statements,), 0, knobs.people)
            speaker = jnp.where(said < knobs.people, said, speaker)
            is_pair = jax.random.bernoulli(pair_key, shape=(statements,))
            first_key, second_key = jax.random.split(other_key)
            shift = jax.random.randint(first_key, (statements,), 1, knobs.people)
            first = (speaker + shift) % knobs.people  # nobody speaks of himself alone
            shift = jax.random.randint(second_key, (statements,), 1, knobs.people)
            return speaker, first, jnp.where(is_pair, (first + shift) % knobs.people, first)

        def parity(world, speaker, first, second):
            """Whether the speaker is a knight, the first one is, and (in a pair) the second one is: odd or even."""
            return world[..., speaker] ^ world[..., first] ^ (world[..., second] & (first != second))

        def is_ambiguous(tries):
            words = draw(tries)
            agrees = (parity(worlds, *words) == parity(is_knight, *words)) | (said >= knobs.statements)
            return jnp.sum(jnp.all(agrees, axis=1) & is_world) != 1

        tries = jax.lax.while_loop(
            lambda tries: is_ambiguous(tries) & (tries < max_tries), lambda tries: tries + 1, jnp.int32(0)
        )
        order = jax.random.permutation(order_key, statements)
        speaker, first, second = (drawn[order] for drawn in _or_plain(draw(tries), tries == max_tries, knobs, said))
        is_pair = first != second
        # What makes the statement true exactly if a knight says it.
        is_odd = is_knight[speaker] ^ is_knight[first]
        word = jnp.where(is_odd, int(Token.NO), int(Token.YES))
        is_same = is_knight[speaker] == (is_knight[first] == is_knight[second])
        word = jnp.where(is_pair, jnp.where(is_same, int(Token.EQUALS), int(Token.MINUS)), word)
        blank = jnp.full(statements, int(Token.BLANK))
        names = (FIRST_SYMBOL + who for who in (speaker, first, second))
        speaker_name, first_name, second_name = names
        lines = jnp.stack([speaker_name, first_name, word, second_name, blank], axis=1)
        is_told = (order < knobs.statements)[:, None] & (is_pair[:, None] | (jnp.arange(5) != 3))
        return ask(*pack((lines, is_told)), _yes_or_no(is_knight), knobs.people)

    return Stream("knights_and_knaves", levels, write, 5 * statements + people, YES_NO)


def _or_plain(drawn, is_in_vain: jax.Array, knobs: KnightsKnobs, said: jax.Array):
    """Statements as drawn; if that was in vain, everybody says whether he and the next one are the same."""
    this, after = said % knobs.people, (said + 1) % knobs.people
    return tuple(jnp.where(is_in_vain, plain, random) for plain, random in zip((this, this, after), drawn, strict=True))


def _yes_or_no(is_yes: jax.Array) -> jax.Array:
    return jnp.where(is_yes, *YES_NO)
