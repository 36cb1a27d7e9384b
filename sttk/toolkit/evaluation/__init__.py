"""How good a style is: losses on held-out photographs, flicker, its own page."""
