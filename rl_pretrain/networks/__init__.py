"""Networks as flax modules: `init` and `apply` on one kind of observation each."""
