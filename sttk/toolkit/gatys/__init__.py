"""Gatys' optimisation of a picture, and what a net's picture is worth in its iterations."""
