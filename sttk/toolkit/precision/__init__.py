"""Precision by block: a net that computes as a plan says, and the search for the cheapest plan."""
