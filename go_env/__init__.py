"""Go in pure JAX: any size from 2×2 to 19×19, exact rules, one game a function, thousands under `jax.vmap`.

env = Go(size=9, komi=7.0)
state = env.init()
state = jax.jit(env.step)(state, 40)     # Black takes the centre
print(to_text(env.stones(state)))
"""

from go_env.env import RULES_VERSION, Go, KoRule
from go_env.state import State

__all__ = ["RULES_VERSION", "Go", "KoRule", "State"]
