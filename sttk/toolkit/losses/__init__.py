"""Perceptual losses, shared by training, Gatys' optimisation, the benchmarks and style parity.

objective.py defines the objective, presets.py holds the published ones by name, and perceptual.py
computes them on a loss network (sttk/toolkit/nets/vgg.py) whose weights vgg_weights.py finds.
"""
