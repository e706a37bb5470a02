"""Brains without a network, for tests of the protocol."""

from collections.abc import Callable

import numpy as np

from go_env import Go, State
from go_env.gtp import Candidate


def legal_actions(go: Go, state: State) -> list[int]:
    return np.flatnonzero(np.asarray(go.legal_actions(state))).tolist()


def random_brain(seed: int = 0) -> Callable[[Go, State, float], list[Candidate]]:
    """Any legal point; a pass where there is none. Its numbers are random too."""
    generator = np.random.default_rng(seed)

    def think(go: Go, state: State, effort: float) -> list[Candidate]:
        points = generator.permutation([a for a in legal_actions(go, state) if a != go.pass_action]).tolist()
        return [
            Candidate(
                action=action,
                visits=int(effort * 80) >> i,
                winrate=float(generator.random()),
                prior=0.5 ** (i + 1),
                variation=(action, go.pass_action, (action + 1) % go.num_points),
            )
            for i, action in enumerate([*points, go.pass_action])
        ]

    return think


class Scripted:
    """Wants to play what it is told, in this order, legal or not; remembers the states that it is shown."""

    def __init__(self, *actions: int, winrate: float = 0.5):
        self.actions, self.winrate = actions, winrate
        self.states: list[State] = []
        self.efforts: list[float] = []

    def __call__(self, go: Go, state: State, effort: float) -> list[Candidate]:
        self.states.append(state)
        self.efforts.append(effort)
        return [Candidate(action, visits=1, winrate=self.winrate) for action in self.actions]
