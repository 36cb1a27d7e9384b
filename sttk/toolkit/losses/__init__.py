"""Perceptual losses: the one objective of training, Gatys' optimisation, bench and style parity.

objective.py says what is weighed, presets.py has the published ones by name, perceptual.py computes
it on a loss network (sttk/toolkit/nets/vgg.py) whose weights vgg_weights.py finds.
"""
