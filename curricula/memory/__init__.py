"""External memories, a kind in each file, and the world that gives one to whoever acts in it."""
