"""Side-by-side measurements against the naive way and the floor; never tests."""
