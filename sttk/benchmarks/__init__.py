"""How fast, against what, and how far from what the machine could do."""
