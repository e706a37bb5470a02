"""The rules of Go on positions drawn by hand: captures, suicide, ko, and how games end."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import quick

from go_env import Go, State, from_text, text, to_text

KO_RULES = ("positional_superko", "situational_superko", "simple")

EVERY_KO_RULE = pytest.mark.parametrize("ko", KO_RULES)


@functools.cache
def compiled_step(go: Go):
    return jax.jit(go.step)


def play(go: Go, state: State, vertices: str) -> State:
    for vertex in vertices.split():
        assert is_legal(go, state, vertex), f"{vertex} is illegal:\n{to_text(go.stones(state))}"
        state = compiled_step(go)(state, jnp.int32(text.action(vertex, go.size)))
    return state


def is_legal(go: Go, state: State, vertex: str) -> bool:
    return bool(go.legal_actions(state)[text.action(vertex, go.size)])


def assert_board(go: Go, state: State, diagram: str):
    assert to_text(go.stones(state)) == to_text(from_text(diagram))


def test_a_stone_in_the_corner_is_captured():
    go = Go(5)
    state = go.from_stones(
        from_text("""
            X . . . .
            O . . . .
            . . . . .
            . . . . .
            . . . . .
        """),
        to_play=-1,
    )
    assert_board(
        go,
        play(go, state, "B5"),
        """
            . O . . .
            O . . . .
            . . . . .
            . . . . .
            . . . . .
        """,
    )


def test_chains_without_liberties_are_captured_together_and_others_stay():
    go = Go(5)
    state = go.from_stones(
        from_text("""
            . O X O X
            . X X . X
            X X O O X
            X O X X .
            O . O O X
        """)
    )
    assert_board(
        go,
        play(go, state, "D4"),
        """
            . O X . X
            . X X X X
            X X . . X
            X O X X .
            O . O O X
        """,
    )


def test_one_move_captures_on_all_four_sides():
    go = Go(5)
    state = go.from_stones(
        from_text("""
            . . X . .
            . X O X .
            X O . O X
            . X O X .
            . . X . .
        """)
    )
    assert_board(
        go,
        play(go, state, "C3"),
        """
            . . X . .
            . X . X .
            X . X . X
            . X . X .
            . . X . .
        """,
    )


def test_suicide_of_one_stone_is_illegal_for_its_colour_only():
    go = Go(5)
    board = from_text("""
        . X . . .
        X . . . .
        . . . . .
        . . . X X
        . . . X .
    """)
    for to_play in (1, -1):
        state = go.from_stones(board, to_play)
        assert is_legal(go, state, "A5") == is_legal(go, state, "E1") == (to_play == 1)


def test_suicide_of_a_chain_is_illegal():
    go = Go(5)
    state = go.from_stones(
        from_text("""
            . O X . .
            O O X . .
            X X . . .
            . . . . .
            . . . . .
        """),
        to_play=-1,
    )
    assert not is_legal(go, state, "A5")
    assert is_legal(go, state, "E5")


def test_a_stone_without_liberties_that_captures_is_no_suicide():
    go = Go(5)
    state = go.from_stones(
        from_text("""
            . O X . .
            O X . . .
            O X . . .
            X . . . .
            . . . . .
        """)
    )
    assert_board(
        go,
        play(go, state, "A5"),
        """
            X . X . .
            . X . . .
            . X . . .
            X . . . .
            . . . . .
        """,
    )


@EVERY_KO_RULE
def test_a_snapback_is_no_ko(ko):
    go = Go(5, ko=ko)
    state = go.from_stones(
        from_text("""
            . . O X .
            O O O X .
            X X X . .
            . . . . .
            . . . . .
        """)
    )
    assert_board(
        go,
        play(go, state, "B5 A5 B5"),
        """
            . X . X .
            . . . X .
            X X X . .
            . . . . .
            . . . . .
        """,
    )


KO = """
    . X O . .
    X O . O .
    . X O . .
    . . . . .
    . . . . .
"""


@EVERY_KO_RULE
def test_a_ko_may_not_be_retaken_at_once_but_after_a_threat(ko):
    go = Go(5, ko=ko)
    state = play(go, go.from_stones(from_text(KO)), "C4")
    assert not is_legal(go, state, "B4")
    assert is_legal(go, play(go, state, "E1 A1"), "B4")
    assert is_legal(go, play(go, state, "pass A1"), "B4")
    assert_board(go, play(go, state, "E1 A1 B4"), ". X O . .\nX O . O .\n. X O . .\n.....\nX . . . O")


@pytest.mark.parametrize(("ko", "may_close_the_cycle"), list(zip(KO_RULES, [False, False, True], strict=True)))
def test_a_triple_ko_goes_round_under_simple_ko_only(ko, may_close_the_cycle):
    """Six captures in three kos bring the position back with the same player to move."""
    go = Go(9, ko=ko)
    start = """
        . X O . . . . . .
        X O . O . . . . .
        . X O . . . . . .
        . X O . . . . . .
        X O . O . . . . .
        . X O . . . . . .
        . X O . . . . . .
        X . X O . . . . .
        . X O . . . . . .
    """
    state = play(go, go.from_stones(from_text(start)), "C8 B2 C5 B8 C2")
    assert is_legal(go, state, "B5") == may_close_the_cycle
    assert not is_legal(go, state, "B2")  # just taken
    if may_close_the_cycle:
        assert_board(go, play(go, state, "B5"), start)


@pytest.mark.parametrize(("ko", "may_return_one"), list(zip(KO_RULES, [False, True, True], strict=True)))
def test_sending_two_returning_one_separates_positional_from_situational_superko(ko, may_return_one):
    """Black sends two stones, White takes them, Black takes one back: the old position, but White is to move now."""
    go = Go(5, ko=ko)
    start = """
        . X . X .
        O O X . .
        . . . . .
        . . . . .
        . . . . .
    """
    state = play(go, go.from_stones(from_text(start)), "A5 C5")
    assert_board(go, state, ". . O X .\nO O X . .\n.....\n.....\n.....")
    assert is_legal(go, state, "B5") == may_return_one
    if may_return_one:
        state = play(go, state, "B5 pass")
        assert_board(go, state, start)
        assert is_legal(go, state, "A5") == (ko == "simple")  # White would have to answer the same position again


def over(state: State) -> bool:
    return float(state.discount) == 0


def test_two_passes_in_a_row_end_the_game_and_others_do_not():
    go = Go(5, komi=0.5)
    state = play(go, go.init(), "pass C3 pass A1 pass")
    assert not over(state)
    assert over(play(go, state, "pass"))
    assert float(play(go, state, "pass").reward) == 1  # to White, who passed last and has the only stones


@pytest.mark.parametrize(("komi", "reward"), [(-0.5, -1), (0, 0), (0.5, 1)])
def test_the_result_goes_to_the_player_who_moved_last_and_whole_komi_allows_draws(komi, reward):
    go = Go(3, komi=komi)
    state = play(go, go.init(), "pass pass")
    assert over(state) and float(state.reward) == reward and float(go.score(state)) == -komi


def test_komi_decides_by_the_point():
    """Black owns 15 points, White 10."""
    board = from_text("..XO.\n" * 5)
    for komi, reward in [(4.5, -1), (5, 0), (5.5, 1)]:
        go = Go(5, komi=komi)
        state = play(go, go.from_stones(board), "pass pass")
        assert float(go.score(state)) == 5 - komi and float(state.reward) == reward


def test_area_is_stones_and_what_reaches_one_colour_only():
    go = Go(5)
    state = go.from_stones(
        from_text("""
            . X . O .
            X X . O O
            . . . . .
            X X X . O
            . . X O .
        """)
    )
    assert to_text(go.area(state)) == to_text(
        from_text("""
            X X . O O
            X X . O O
            . . . . .
            X X X . O
            X X X O O
        """)
    )
    assert to_text(go.area(go.init())) == to_text(np.zeros((5, 5)))
    one_stone = play(go, go.init(), "C3")
    assert to_text(go.area(one_stone)) == to_text(np.ones((5, 5)))


def test_the_move_limit_scores_the_board_as_it_stands():
    go = Go(3, komi=3.5, max_moves=3)
    state = play(go, go.init(), "B2 A1")
    assert not over(state)
    assert over(play(go, state, "pass"))
    assert float(play(go, state, "A2").reward) == -1  # one point more for White, and the rest is neutral
    assert Go(9).move_limit == 162 and Go(3).move_limit == 18


def test_an_illegal_last_move_loses_whatever_the_board_says():
    go = Go(3, komi=-20, max_moves=3)
    state = compiled_step(go)(play(go, go.init(), "B2 A1"), jnp.int32(4))
    assert over(state) and float(state.reward) == -1


@pytest.mark.parametrize(
    ("diagram", "before", "action"),
    [
        (KO, "", "A4"),  # occupied by a stone of one's own
        (KO, "", "D4"),  # occupied by the opponent
        (KO, "C4", "B4"),  # ko
        (". X . . .\nX . . . .\n.....\n.....\n.....", "pass", "A5"),  # suicide
        (KO, "", -1),
        (KO, "", 26),
        (KO, "C4", -(2**31)),
        (KO, "C4", 2**31 - 1),
    ],
)
def test_an_illegal_action_loses_at_once_and_leaves_the_board_alone(diagram, before, action):
    go = Go(5, komi=0)
    action = text.action(action, 5) if isinstance(action, str) else action
    state = play(go, go.from_stones(from_text(diagram)), before)
    after = compiled_step(go)(state, jnp.int32(action))
    assert over(after) and float(after.reward) == -1
    np.testing.assert_array_equal(go.stones(after), go.stones(state))
    assert int(after.to_play) == -int(state.to_play) and int(after.ply) == int(state.ply) + 1


@pytest.mark.parametrize("ko", quick.first(KO_RULES))
@pytest.mark.parametrize("end", ["two passes", "move limit", "illegal action"])
def test_a_finished_game_stays_as_it_is_and_reports_all_actions_legal(end, ko):
    go = Go(5, ko=ko, max_moves=4)
    state = play(go, go.from_stones(from_text(KO)), "C4")
    state = play(go, state, {"two passes": "pass", "move limit": "A1 A2", "illegal action": ""}[end])
    last = {"two passes": "pass", "move limit": "E1", "illegal action": "B4"}[end]
    state = compiled_step(go)(state, jnp.int32(text.action(last, 5)))
    assert over(state) and bool(go.is_over(state))
    assert float(state.reward) != 0
    for action in (0, 7, 25, -1, 26):
        after = compiled_step(go)(state, jnp.int32(action))
        chex.assert_trees_all_equal(after, state._replace(reward=jnp.float32(0)))
        np.testing.assert_array_equal(go.observe(after), go.observe(state))
        assert bool(go.legal_actions(after).all())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 1}, "size must be a whole number from 2 to 19, got 1"),
        ({"size": 20}, "size must be a whole number from 2 to 19, got 20"),
        ({"size": 9.0}, r"size must be a whole number from 2 to 19, got 9\.0"),
        ({"size": True}, "size must be a whole number from 2 to 19, got True"),
        ({"size": "9"}, "size must be a whole number from 2 to 19, got '9'"),
        ({"komi": 7.3}, r"komi must be a multiple of 0\.5, got 7\.3"),
        ({"komi": float("nan")}, r"komi must be a multiple of 0\.5, got nan"),
        ({"komi": float("inf")}, r"komi must be a multiple of 0\.5, got inf"),
        ({"komi": "7"}, r"komi must be a multiple of 0\.5, got '7'"),
        ({"ko": "psk"}, "ko must be one of positional_superko, situational_superko, simple, got 'psk'"),
        ({"max_moves": 0}, "max_moves must be a whole number from 1 on, or None, got 0"),
        ({"max_moves": 1.5}, r"max_moves must be a whole number from 1 on, or None, got 1\.5"),
        ({"memory": 0}, "memory must be a whole number from 1 on, or None, got 0"),
        ({"memory": "all"}, "memory must be a whole number from 1 on, or None, got 'all'"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Go(**arguments)


def test_komi_is_data():
    """One compiled function plays games of different komi."""
    go = Go(3, komi=7)
    komi = jnp.array([-9.5, -9, 0, 9, 9.5])

    @jax.jit
    @jax.vmap
    def result(komi):
        state = go.init(komi=komi)
        for action in (4, go.pass_action, go.pass_action):
            state = go.step(state, jnp.int32(action))
        return go.score(state), state.reward

    score, reward = result(komi)
    assert score.tolist() == (9 - komi).tolist()
    assert reward.tolist() == [1, 1, 1, 0, -1]  # Black passed last
    assert float(go.init().komi) == 7
