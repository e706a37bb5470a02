"""Costs are counted from the program: against the arithmetic of the shapes."""

import jax
import jax.numpy as jnp

from rl_pretrain import ledger


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def test_a_product_costs_two_operations_for_each_multiplication():
    assert ledger.flops(jnp.matmul, shape(3, 5), shape(5, 7)) == 2 * 3 * 5 * 7
    assert ledger.flops(lambda x, y: jnp.einsum("bij,bjk->bik", x, y), shape(4, 3, 5), shape(4, 5, 7)) == 8 * 3 * 5 * 7
    assert ledger.flops(lambda x: x + 1, shape(100)) == 0


def test_loops_count_as_often_as_they_turn_and_branches_by_the_dearest():
    def ten_times(x, w):
        return jax.lax.fori_loop(0, 10, lambda i, x: x @ w, x)

    assert ledger.flops(jax.jit(ten_times), shape(2, 3), shape(3, 3)) == 10 * 2 * 2 * 3 * 3

    def either(is_big, x, w):
        return jax.lax.cond(is_big, lambda: (x @ w) @ w, lambda: x @ w)

    assert ledger.flops(either, jax.ShapeDtypeStruct((), bool), shape(2, 3), shape(3, 3)) == 2 * 2 * 2 * 3 * 3


def test_a_gradient_costs_both_products_of_its_chain_rule():
    cost = ledger.flops(jax.grad(lambda w, x: jnp.sum(jnp.tanh(x @ w) ** 2), argnums=(0, 1)), shape(5, 7), shape(3, 5))
    assert cost == 3 * 2 * 3 * 5 * 7


def test_a_convolution_costs_its_kernel_at_every_place():
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    assert ledger.flops(convolve, shape(2, 9, 9, 4), shape(3, 3, 4, 6)) == 2 * (2 * 9 * 9 * 6) * (3 * 3 * 4)


def test_all_devices_count():
    num = jax.local_device_count()
    over_devices = jax.pmap(lambda x: jax.lax.pmean(x @ x, "devices"), axis_name="devices")
    assert ledger.flops(over_devices, shape(num, 3, 3)) == num * 2 * 27


def test_a_loop_of_unknown_length_counts_once():
    def until_big(x):
        return jax.lax.while_loop(lambda x: jnp.sum(x) < 9, lambda x: x @ x, x)

    assert ledger.flops(until_big, shape(3, 3)) == 2 * 27


def test_costs_add_up():
    both = ledger.Spent(games=2, flops=3.0).plus(ledger.Spent(seconds=1.5, games=5))
    assert both == ledger.Spent(seconds=1.5, games=7, flops=3.0)
