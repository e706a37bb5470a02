"""Coding problems: what a program must do, and hidden inputs on which it is held to it."""
