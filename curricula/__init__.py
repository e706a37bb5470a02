"""Synthetic reasoning tasks with automatic curricula (not built yet)."""
