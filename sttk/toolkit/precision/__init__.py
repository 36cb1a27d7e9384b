"""Mixed precision by block: a net cast to a plan, the cost of a plan, and its blocks."""
