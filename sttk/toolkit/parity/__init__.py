"""Whether two models are the same function."""
