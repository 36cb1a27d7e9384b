"""Rewrites of a style net that keep its function: one file per rule, the maths first."""
