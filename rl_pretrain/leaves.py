"""A tree of arrays as named host arrays, and back: what a checkpoint holds, free of the code's types."""

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Leaf(NamedTuple):
    """What must agree for a stored array to take the place of a leaf."""

    dtype: str  # NumPy's name, or such as key<fry> for typed random keys
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


def kinds(tree: Any) -> dict[str, Leaf]:
    """The leaves by name, such as `opt_state/0/mu/kernel`. Arrays may be `jax.ShapeDtypeStruct`.

    Raises ValueError where two leaves would have one name, TypeError where a leaf is no array of numbers.
    """
    return {name: _kind(name, leaf) for name, leaf in named(tree).items()}


def to_host(tree: Any) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The leaves as host arrays by name, and the implementation behind each leaf that is a typed random key.

    An array lying on several devices comes whole. Keys come as their data: uint32 `[..., words]`.
    """
    leaves = named(tree)
    impls = {name: str(jax.random.key_impl(leaf)) for name, leaf in leaves.items() if _is_key(leaf)}
    leaves |= {name: jax.random.key_data(leaves[name]) for name in impls}
    return {name: np.asarray(leaf) for name, leaf in jax.device_get(leaves).items()}, impls


def from_host(like: Any, arrays: Mapping[str, np.ndarray], impls: Mapping[str, str]) -> Any:
    """A tree of the structure of `like`, each leaf of the same type and in the same place as its model.

    Leaves of `like` that are arrays, or `jax.ShapeDtypeStruct` with a sharding, go where those are; a
    `jax.ShapeDtypeStruct` without sharding gives a NumPy array; Python numbers stay Python numbers.
    """
    placed = [_place(arrays[name], impls.get(name), leaf) for name, leaf in named(like).items()]
    return jax.tree.unflatten(jax.tree.structure(like), placed)


def mismatch(stored: Mapping[str, Leaf], wanted: Mapping[str, Leaf]) -> str | None:
    """How what is stored differs from what is wanted, in few words; None where it does not."""
    problems = [f"{name} is missing" for name in wanted if name not in stored]
    problems += [f"{name} is not expected" for name in stored if name not in wanted]
    problems += [
        f"{name} is {leaf}, expected {wanted[name]}"
        for name, leaf in stored.items()
        if name in wanted and leaf != wanted[name]
    ]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return problems[0] + more if problems else None


def named(tree: Any) -> dict[str, Any]:
    """The leaves by name, in the order of `jax.tree.leaves`. Raises ValueError where two would have one name."""
    pairs = jax.tree_util.tree_flatten_with_path(tree)[0]
    leaves = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in pairs}
    if len({name.replace("/", ".") for name in leaves}) < len(pairs):  # Orbax joins names with dots
        raise ValueError("two leaves of the tree would have one name: do not use dots and slashes in dict keys")
    return leaves


def nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays as dicts of dicts: `{"a/b": x}` becomes `{"a": {"b": x}}`. Raises ValueError for `a` beside `a/b`."""
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *groups, last = name.split("/")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
            if not isinstance(branch, dict):
                raise ValueError(f"{name} would be in an array")
        if last in branch:
            raise ValueError(f"{name} is an array and holds others")
        branch[last] = array
    return tree


def checksum(array: np.ndarray) -> int:
    """CRC-32 of the array's dtype, shape and bytes."""
    seed = zlib.crc32(f"{array.dtype}{array.shape}".encode())
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8), seed)  # pyright: ignore[reportArgumentType]


def _kind(name: str, leaf: Any) -> Leaf:
    if not hasattr(leaf, "dtype"):
        leaf = np.asarray(leaf)
    dtype = str(leaf.dtype)
    if not _is_key(leaf) and not jnp.issubdtype(leaf.dtype, np.number) and leaf.dtype != np.bool_:
        raise TypeError(f"{name} is {dtype}: a checkpoint holds arrays of numbers")
    return Leaf(dtype, tuple(leaf.shape))


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _place(array: np.ndarray, impl: str | None, like: Any) -> Any:
    leaf = array if impl is None else jax.random.wrap_key_data(jnp.asarray(array), impl=impl)
    if isinstance(like, bool | int | float):  # NumPy's float64 is a float, too
        return type(like)(array.item())
    if isinstance(like, np.generic):
        return array[()]
    if isinstance(like, jax.Array) and not like.committed:
        return jnp.array(leaf)  # free to follow other arrays to their devices, as its model was
    sharding = getattr(like, "sharding", None)
    return leaf if sharding is None else jax.device_put(leaf, sharding)
