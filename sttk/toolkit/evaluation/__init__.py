"""Evaluation of styles: losses on held-out photographs, flicker, and the model cards."""
