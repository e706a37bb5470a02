"""Random Go games with everything in them: captures, kos, passes, full boards and now and then an illegal action."""

import jax
import jax.numpy as jnp

from go_env import Go, State


def random_action(key: jax.Array, legal: jax.Array) -> jax.Array:
    """A legal point; a pass in 3 % of the plies; once in a thousand any number, most of them illegal or no action."""
    point_key, pass_key, slip_key, any_key = jax.random.split(key, 4)
    is_point = legal.at[-1].set(False)
    point = jax.random.categorical(point_key, jnp.where(is_point, 0.0, -jnp.inf))
    wants_pass = (jax.random.uniform(pass_key) < 0.03) | ~jnp.any(is_point)
    action = jnp.where(wants_pass, legal.size - 1, point)
    anything = jax.random.randint(any_key, (), -2, legal.size + 2)
    return jnp.where(jax.random.uniform(slip_key) < 0.001, anything, action)


def play(go: Go, key: jax.Array, start: State, num_plies: int, see=lambda state: None):
    """A random game from `start`: the last state, the actions `[plies]`, and `see(state)` after each of them."""

    def ply(state, key):
        action = random_action(key, go.legal_actions(state))
        state = go.step(state, action)
        return state, (action, see(state))

    state, (actions, seen) = jax.lax.scan(ply, start, jax.random.split(key, num_plies))
    return state, actions, seen
