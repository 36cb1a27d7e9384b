"""Runtimes, which run a model on arrays, and the stylisation of pictures with them."""
