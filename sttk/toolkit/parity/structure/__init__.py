"""The structural witness: what a model's graph says, held against the reference net by value.

Pictures cannot show every fault. An instance norm's epsilon that is a hundred times too large
changes a picture by less than float32's own rounding. So the graph is read, too: its operations
are aligned with those of the net, and each number of the net is compared with the model's.
"""
