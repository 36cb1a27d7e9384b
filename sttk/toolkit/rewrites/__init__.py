"""Changes of a style net that keep its function: one file a rule, the maths first."""
