"""Synthetic reasoning tasks over one small vocabulary, difficulty as data, and automatic curricula.

>>> import jax
>>> from curricula import text
>>> from curricula.tasks import copying
>>> task = copying.reverse()
>>> state = task.init(jax.random.key(0), level=1)
>>> print(text.render(state.instance.script))
shown  f a a ANSWER . .
said   . . . a      a f
>>> step = jax.jit(task.step)
>>> while state.discount:
...     state = step(state, task.expert(state))
>>> bool(task.is_solved(state))
True
"""
