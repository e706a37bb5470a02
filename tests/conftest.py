"""Tests run on four virtual CPU devices, so that what is meant for several devices is tested on any machine."""

import os
import signal

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is imported; set it to cuda to test there

# Most tests compile for longer than they run.
if os.environ["JAX_PLATFORMS"] == "cpu" and "XLA_FLAGS" not in os.environ:
    os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=1"

import hypothesis

from rl_pretrain import devices

devices.use(4 if os.environ["JAX_PLATFORMS"] == "cpu" else None)

# A shell starts background jobs with Ctrl-C ignored, and children inherit that; tests of Ctrl-C need it back.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Deadlines would count compilation.
hypothesis.settings.register_profile("jax", deadline=None)
hypothesis.settings.load_profile("jax")
