"""Automatic curricula: which levels to train on next, a method in each file."""
