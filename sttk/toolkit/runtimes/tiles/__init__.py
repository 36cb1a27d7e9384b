"""Pictures larger than memory: a net run on one tile at a time, and the same picture out of it.

Convolutions look at a neighbourhood, so a tile with enough of its surroundings gives what the whole
picture would. Instance norm looks at the whole picture; so its statistics are taken over all tiles
first, norm by norm, each with those before it as they are in the whole picture. That takes a pass
over the first layers for each norm: of a Johnson net about eight times the work of the whole.
Statistics of a small copy of the picture take one pass, and give another picture (22 dB).
"""
