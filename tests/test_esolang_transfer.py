"""What is carried over from one network to another, and what is held still."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scripts

from esolang import transfer
from rl_pretrain import command_line
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.settings import SettingError

SIZE = dict(kind="causal", width=16, num_layers=2, num_heads=4)


@functools.cache
def networks():
    """A network of one world, and one of another with other tokens, actions and observations."""
    source, target = policies.make(TokenConfig(46, 46, **SIZE)), policies.make(TokenConfig(9, 5, **SIZE))
    make = jax.jit(lambda key: (source.init(key, 2), target.init(jax.random.fold_in(key, 1), 3)))
    return target, *make(jax.random.key(0))


def changed(before, after):
    """Which leaves differ, by their modules."""
    leaves = zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True)
    return {"/".join(key.key for key in path) for (path, x), y in leaves if not np.array_equal(x, y)}


def test_the_trunk_is_all_but_tokens_and_heads():
    _, learnt, fresh = networks()
    new = transfer.transplant(fresh, learnt, "trunk")
    assert jax.tree.map(jnp.shape, new) == jax.tree.map(jnp.shape, fresh)
    assert changed(fresh["params"]["embed"], new["params"]["embed"]) == set()
    assert changed(fresh["params"]["heads"], new["params"]["heads"]) == set()
    for name in ("blocks_0", "blocks_1", "norm"):
        assert changed(learnt["params"][name], new["params"][name]) == set()


def test_attention_is_what_looks_at_other_places():
    _, learnt, fresh = networks()
    new = transfer.transplant(fresh, learnt, "attention")
    block, old, source = (tree["params"]["blocks_1"] for tree in (new, fresh, learnt))
    for name in ("query", "key", "value", "out", "norm_attention"):
        assert changed(source[name], block[name]) == set()
    for name in ("hidden", "back", "norm_hidden"):
        assert changed(old[name], block[name]) == set()
    assert changed(fresh["params"]["heads"], new["params"]["heads"]) == set()  # one of them is called value, too


def test_nothing_is_nothing_and_what_does_not_fit_is_refused():
    _, learnt, fresh = networks()
    assert changed(fresh, transfer.transplant(fresh, learnt, "nothing")) == set()
    with pytest.raises(ValueError, match="a part is nothing, attention, trunk, got 'middle'"):
        transfer.transplant(fresh, learnt, "middle")
    small = jax.tree.map(lambda x: x[..., :1], learnt)
    with pytest.raises(ValueError, match="the networks differ in"):
        transfer.transplant(fresh, small, "trunk")


def test_a_brake_holds_the_trunk_and_nothing_else_and_changes_no_output():
    plain, _, fresh = networks()
    policy = transfer.with_brake(plain)
    tokens, is_first = jnp.arange(24).reshape(4, 2, 3) % 9, jnp.arange(8).reshape(4, 2) < 2
    optimizer = optax.adam(0.1)

    @jax.jit
    def step(weights):
        def loss(weights):
            logits, values = policy.unroll(weights, tokens, is_first)
            return jnp.sum(jnp.sin(logits)) + jnp.sum(values**2), (logits, values)

        gradient, outputs = jax.grad(loss, has_aux=True)(weights)
        change, _ = optimizer.update(gradient, optimizer.init(weights))
        return optax.apply_updates(weights, change), outputs, plain.unroll(weights.network, tokens, is_first)

    for is_free in (0.0, 1.0):
        after, outputs, expected = step(transfer.Braked(fresh, jnp.float32(is_free)))
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), outputs, expected)
        assert after.is_free == is_free
        moved = changed(fresh["params"], after.network["params"])
        assert any(name.startswith("embed") for name in moved) and any(name.startswith("heads") for name in moved)
        assert any(name.startswith("blocks") for name in moved) == bool(is_free)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sources", "copi:rpt"], "unknown task 'copi'"),
        (["--sources", "copy:sft"], "a source is task:arm with an arm of rpt, spt-answer, spt-trace, got 'copy:sft'"),
        (["--sources", "dedup:spt-trace"], "dedup has no trace"),
        (["--targets", "read:copy"], "a target is act:problem or write:problem, got 'read:copy'"),
        (["--targets", "act:kopy"], "unknown problem 'kopy'"),
        (["--num-seeds=0"], "num_seeds must be at least 1, got 0"),
    ],
)
def test_bad_settings_are_named_in_one_line(arguments, message):
    with pytest.raises(SettingError, match=message):
        command_line.parse(arguments, scripts.load("esolang_transfer").PRESETS, "", default="tiny")


@pytest.mark.slow
def test_a_tiny_run_ends_with_the_matrix_and_is_not_run_again(tmp_path):
    finished = scripts.run(tmp_path, tmp_path, "esolang_transfer", "--preset=tiny")
    assert finished.returncode == 0, finished.stderr
    results = json.loads((tmp_path / "runs/esolang_transfer/tiny/results.json").read_text())
    assert [result["target"] for result in results] == ["act:print-1", "write:print-1"]
    kinds = ["scratch", "frozen random", "reverse:rpt trunk", "stack_machine:spt-trace trunk"]
    assert all(list(result["success"]) == kinds for result in results)
    assert (tmp_path / "runs/esolang_transfer/tiny/figure.png").stat().st_size > 1000
    again = scripts.run(tmp_path, tmp_path, "esolang_transfer", "--preset=tiny", "--resume")
    assert again.returncode == 0 and again.stdout.splitlines()[-7:] == finished.stdout.splitlines()[-7:]
