"""Where a model leaves its reference: the first block that computes something else."""
