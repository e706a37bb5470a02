"""Directed graphs told edge by edge, in random order: what can be reached, how, and what comes before what.

Nodes are symbols, given at random, 16 at most. So distances end at 15, and the main knob beyond that is edges.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_SYMBOL, NUM_SYMBOLS, Token, symbols


class ReachKnobs(NamedTuple):
    """Difficulty of `reachability`."""

    distance: int  # edges from the first node of a path to its last
    edges: int  # at least 2 · distance + 2
    nodes: int  # at least 2 · distance + 3


def reachability() -> Stream:
    """Tells whether one node can be reached from another.

    - Prompt: edges, two symbols each (from, to); then QUERY and two nodes. Answer: YES or NO. Steps: 2 · edges + 4.
    - There are two paths of `distance` edges, some of which are there both ways. The query goes from the first node of
      a path to the last node of either: whether of the same one is a fair coin tossed apart from the graph, so the
      degrees of the two nodes do not tell the answer. No edge shortens the way between them, not even backwards.
    - Other nodes are sources, with edges into both paths, or sinks, with edges from both. One of them always joins the
      paths, at the same place of each. So which nodes hang together, were edges walked both ways, does not tell either.
    - Beyond: edges ×1.5, ×2 and ×4 (×8 is more than such graphs have); not length, distances 5 and 6, the greatest
      that two paths and a node to join them allow.
    - Floor: 1/2.
    - Kin: following pointers.
    """
    levels = Levels(
        train=(
            ReachKnobs(2, 6, 7),
            ReachKnobs(2, 8, 8),
            ReachKnobs(3, 9, 10),
            ReachKnobs(3, 11, 11),
            ReachKnobs(4, 12, 12),
            ReachKnobs(4, 14, 13),
            ReachKnobs(4, 16, 14),
        ),
        beyond=(
            ("edges ×1.5", ReachKnobs(4, 24, 14)),
            ("edges ×2", ReachKnobs(4, 32, 14)),
            ("edges ×4", ReachKnobs(4, 64, 16)),
            ("distance 5", ReachKnobs(5, 18, 16)),
            ("distance 6", ReachKnobs(6, 18, 16)),
        ),
    )
    room = levels.most("edges")

    def write(key: jax.Array, knobs: ReachKnobs) -> Script:
        kind_key, joint_key, edge_key, name_key, query_key = jax.random.split(key, 5)
        node, on_path = jnp.arange(NUM_SYMBOLS), knobs.distance + 1
        side, step = node // on_path, node % on_path  # of the two paths, sides 0 and 1
        is_path = side < 2
        is_sink = jax.random.bernoulli(kind_key, shape=node.shape)
        rank = jnp.where(is_path, 1, jnp.where(is_sink, 2, 0))  # edges never go down
        is_next = (side[:, None] == side) & (step == step[:, None] + 1) & is_path
        may_be = (rank[:, None] < rank) | ((rank[:, None] == rank) & (~is_path | is_next | is_next.T))
        # The same place of both: else it could touch the two queried nodes only where they are of different paths.
        joint = jax.random.randint(joint_key, (), 0, on_path)
        is_joined = (node == 2 * on_path)[:, None] & is_path & (step == joint)
        must_be = is_next | ((is_joined | is_joined.T) & may_be)
        start_side, end_side = jax.random.bernoulli(query_key, shape=(2,)).astype(jnp.int32)
        query = jnp.stack([start_side * on_path, end_side * on_path + knobs.distance])
        answer = jnp.where(start_side == end_side, int(Token.YES), int(Token.NO))
        edges = _edges(edge_key, must_be, may_be & _is_pair(knobs.nodes), knobs.edges, room)
        names = FIRST_SYMBOL + jax.random.permutation(name_key, NUM_SYMBOLS)
        return ask(*_prompt(names, edges, knobs.edges, query), answer[None], jnp.int32(1))

    return Stream("reachability", levels, write, 2 * room + 4, (int(Token.YES), int(Token.NO)))


class PathKnobs(NamedTuple):
    """Difficulty of `shortest_path`."""

    distance: int  # edges of the path
    nodes: int  # at least distance + 2, at most 16
    extra: int  # edges more than the nodes - 1 of a tree


def shortest_path() -> Stream:
    """Goes from a node to another the shortest way.

    - Prompt: edges, two symbols each (from, to); then QUERY and two nodes. Answer: the nodes on the shortest path after
      the first, to the last one, which ends it: so no END. Steps: 2 · (nodes + extra) + distance + 1.
    - The shortest path is unique. Nodes lie in layers, one layer for each distance, and edges go at most one layer on.
      Side nodes grow from the path as branches, at least one of them at its start; they lead to other side nodes, or
      back to the path no further than their own layer: longer ways round, or dead ends.
    - Beyond: distance ×1.5, ×2 and ×2.3, the greatest that 16 nodes allow, one of them in a branch; not length, twice
      and three times the edges.
    - Floor: for a constant symbol 0, for a random one 16 ** -distance; 1/2 per token or less for a random branch.
    - Kin: following pointers.
    """
    levels = Levels(
        train=(
            PathKnobs(2, 5, 0),
            PathKnobs(3, 7, 0),
            PathKnobs(3, 8, 1),
            PathKnobs(4, 10, 2),
            PathKnobs(5, 12, 3),
            PathKnobs(6, 14, 4),
        ),
        beyond=(
            ("distance ×1.5", PathKnobs(9, 16, 4)),
            ("distance ×2", PathKnobs(12, 16, 4)),
            ("distance ×2.3", PathKnobs(14, 16, 4)),
            ("edges ×2", PathKnobs(6, 14, 21)),
            ("edges ×3", PathKnobs(6, 14, 38)),
        ),
    )
    room = max(knobs.nodes - 1 + knobs.extra for knobs in levels.rows)

    def write(key: jax.Array, knobs: PathKnobs) -> Script:
        parent_key, edge_key, name_key = jax.random.split(key, 3)
        node = jnp.arange(NUM_SYMBOLS)
        is_path = node <= knobs.distance
        layer = jnp.where(is_path, node, (node - knobs.distance - 1) % knobs.distance + 1)
        is_pair = _is_pair(knobs.nodes)
        is_next = layer == layer[:, None] + 1
        chance = jnp.where(is_next & is_pair, jax.random.uniform(parent_key, is_next.shape), -1.0)
        # The node before, in the path or in the branch. All layers before hold a node of the path.
        parent = jnp.where(is_path, node - 1, jnp.argmax(chance, axis=0))
        must_be = (node[:, None] == parent) & (node > 0)
        leads_on = is_next & ~is_path  # to the path, only the path itself leads on
        may_be = leads_on | (layer <= layer[:, None])
        num_edges = knobs.nodes - 1 + knobs.extra
        edges = _edges(edge_key, must_be & is_pair, may_be & is_pair, num_edges, room)
        names = FIRST_SYMBOL + jax.random.permutation(name_key, NUM_SYMBOLS)
        query = jnp.stack([jnp.int32(0), jnp.asarray(knobs.distance, jnp.int32)])
        return ask(*_prompt(names, edges, num_edges, query), names[1:], knobs.distance)

    max_steps = 2 * room + 3 + NUM_SYMBOLS - 1
    return Stream("shortest_path", levels, write, max_steps, symbols())


class OrderKnobs(NamedTuple):
    """Difficulty of `topological_order`."""

    nodes: int  # at most 16
    edges: int  # at least nodes / 2, rounded up; at most nodes · (nodes - 1) / 2


def topological_order() -> Stream:
    """Puts the nodes of a graph in order, every edge leading on.

    - Prompt: edges, two symbols each (from, to), every node in one of them at least; then QUERY. Answer: all nodes,
      then END, each before those that its edges lead to. Of all such orders it is the first in the dictionary: next
      comes always the first in the alphabet that has no edge from a node still to come. So the answer is unique.
      Steps: 2 · edges + nodes + 2.
    - Beyond: nodes ×1.5 and ×2 (there are 16 symbols); not length, twice the edges.
    - Floor: 0 for a constant symbol, 17 ** -(nodes + 1) for a random one. The alphabet alone is right for a fair share
      of graphs with 3 nodes (2 edges), but few of those with 8.
    - Kin: none close (an agenda worked off).
    """
    levels = Levels(
        train=(
            OrderKnobs(3, 2),
            OrderKnobs(4, 4),
            OrderKnobs(5, 6),
            OrderKnobs(6, 8),
            OrderKnobs(7, 10),
            OrderKnobs(8, 12),
        ),
        beyond=(
            ("nodes ×1.5", OrderKnobs(12, 18)),
            ("nodes ×2", OrderKnobs(16, 24)),
            ("edges ×2", OrderKnobs(8, 24)),
            ("nodes ×2, edges ×4", OrderKnobs(16, 48)),
        ),
    )
    room = levels.most("edges")

    def write(key: jax.Array, knobs: OrderKnobs) -> Script:
        order_key, edge_key, name_key = jax.random.split(key, 3)
        node = jnp.arange(NUM_SYMBOLS)
        # `rank` is a hidden order that all edges follow; node 2i is joined to 2i + 1, so that none is left out.
        rank = jax.random.permutation(order_key, NUM_SYMBOLS)
        may_be = rank[:, None] < rank
        is_odd_one = (node == knobs.nodes - 1) & (knobs.nodes % 2 == 1)
        mate = jnp.where(is_odd_one, 0, node ^ 1)
        is_joined = node == mate[:, None]
        must_be = (is_joined | is_joined.T) & may_be & _is_pair(knobs.nodes)
        edges = _edges(edge_key, must_be, may_be & _is_pair(knobs.nodes), knobs.edges, room)
        names = FIRST_SYMBOL + jax.random.permutation(name_key, NUM_SYMBOLS)
        source, target = edges
        is_edge = jnp.arange(room) < knobs.edges
        index = jnp.where(is_edge, names[source] - FIRST_SYMBOL, 0), jnp.where(is_edge, names[target] - FIRST_SYMBOL, 0)
        before = jnp.zeros((NUM_SYMBOLS, NUM_SYMBOLS), bool).at[index].max(is_edge)
        is_node = jnp.zeros(NUM_SYMBOLS, bool).at[names - FIRST_SYMBOL].set(node < knobs.nodes)
        answer = FIRST_SYMBOL + _first_order(before, is_node)
        answer = jnp.append(answer, 0).at[knobs.nodes].set(int(Token.END))
        prompt, length = _prompt(names, edges, knobs.edges, jnp.zeros(2, jnp.int32))
        return ask(prompt[:-2], length - 2, answer, knobs.nodes + 1)

    max_steps = 2 * room + 1 + NUM_SYMBOLS + 1
    return Stream("topological_order", levels, write, max_steps, (*symbols(), int(Token.END)))


def _first_order(before: jax.Array, is_node: jax.Array) -> jax.Array:
    """The nodes in order, the lowest that is free each time: int32 `[symbols]`."""

    def take(is_left, _):
        is_free = is_left & ~jnp.any(before & is_left[:, None], axis=0)
        taken = jnp.argmax(is_free)
        return is_left.at[taken].set(False), taken.astype(jnp.int32)

    return jax.lax.scan(take, is_node, None, length=NUM_SYMBOLS)[1]


def _is_pair(nodes: jax.Array | int) -> jax.Array:
    """Whether both of two nodes are used and they are not the same: bool `[symbols, symbols]`."""
    node = jnp.arange(NUM_SYMBOLS)
    return (node < nodes) & (node < nodes)[:, None] & (node != node[:, None])


def _edges(
    key: jax.Array, must_be: jax.Array, may_be: jax.Array, number: jax.Array | int, room: int
) -> tuple[jax.Array, jax.Array]:
    """Draws different edges and shuffles them: all that must be, and others that may be, `number` in all.

    Returns: sources and targets, int32 `[room]` each, those from `number` on without meaning.
    """
    choose_key, shuffle_key = jax.random.split(key)
    worth = jax.random.uniform(choose_key, may_be.shape) + 4.0 * must_be + 2.0 * may_be
    chosen = jnp.argsort(-worth.ravel())[:room]
    place = jnp.arange(room)
    shuffled = jnp.argsort(jnp.where(place < number, jax.random.uniform(shuffle_key, (room,)), 2.0))
    chosen = chosen[shuffled].astype(jnp.int32)
    return chosen // NUM_SYMBOLS, chosen % NUM_SYMBOLS


def _prompt(
    names: jax.Array, edges: tuple[jax.Array, jax.Array], number: jax.Array | int, query: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Tokens of edges, QUERY, and two nodes; and how many they are."""
    told = jnp.stack([names[edges[0]], names[edges[1]]], axis=1).ravel()
    end = 2 * number
    asked = jnp.concatenate([jnp.array([int(Token.QUERY)]), names[query]])
    prompt = jax.lax.dynamic_update_slice(jnp.pad(told, (0, 3)), asked.astype(told.dtype), (end,))
    return prompt, jnp.asarray(end + 3, jnp.int32)
