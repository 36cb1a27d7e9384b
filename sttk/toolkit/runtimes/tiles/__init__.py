"""Tiled inference for pictures larger than memory, with the same result as a run of the whole.

Convolutions are local, so a tile with a large enough halo gives the same values as the whole
picture. Instance norm is global; so its statistics are computed over all tiles first, norm by norm,
each with the exact statistics of the norms before it. That takes a pass over the preceding layers
for each norm: about eight times the work of a single pass for a Johnson net. Statistics of a
downscaled copy of the picture would take one pass, but give a different picture (22 dB).
"""
