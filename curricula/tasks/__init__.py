"""The tasks, a family in each file."""
