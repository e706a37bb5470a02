"""The training core: self-play with search, learning, evaluation; it knows no game."""
