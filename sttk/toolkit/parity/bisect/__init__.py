"""The bisection of a model: it finds the first block that differs from the reference."""
