"""Go in pure JAX: any size from 2×2 to 19×19, exact rules, one game a function, thousands under `jax.vmap`.

>>> import jax
>>> from go_env import Go, to_text
>>> go = Go(size=5, komi=0.5)
>>> step = jax.jit(go.step)
>>> state = step(go.init(), 12)  # Black takes the centre
>>> state = step(state, 7)
>>> print(to_text(go.stones(state), last_action=7))
   A B C D E
 5 . . . . .
 4 . .(O). .
 3 . . X . .
 2 . . . . .
 1 . . . . .
>>> int(go.legal_actions(state).sum()), float(go.score(state)), bool(go.is_over(state))
(24, -0.5, False)
"""

from go_env.env import RULES_VERSION, Go, KoRule
from go_env.state import State
from go_env.text import from_text, to_text

__all__ = ["RULES_VERSION", "Go", "KoRule", "State", "from_text", "to_text"]
