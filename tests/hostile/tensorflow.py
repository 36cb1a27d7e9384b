"""TensorFlow's checkpoints: bundles of two files, and single ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from tests.checkpoints.tensorflow_files import Arrays, bundle, slices
from tests.checkpoints.test_lengstrom_ckpt import arrays
from tests.hostile.bytes_mutations import Mutation
from tests.hostile.sample import Sample

_DATA = "net.ckpt.data-00000-of-00001"


def _sample(values: Arrays) -> Sample:
    index, data = bundle(values)
    return Sample("net.ckpt.index", {"net.ckpt.index": index, _DATA: data})


def bundle_seed(scratch: Path) -> Sample:
    return _sample(arrays())


def single_seed(scratch: Path) -> Sample:
    return Sample("net.ckpt", {"net.ckpt": slices(arrays())})


def of_arrays(change: Callable[[Random, Arrays], None]) -> Mutation:
    """The change, made to the variables before they are written."""

    def mutate(random: Random, sample: Sample) -> Sample:
        values = arrays()
        change(random, values)
        if sample.path.endswith(".index"):
            return _sample(values)
        return Sample(sample.path, {sample.path: slices(values)})

    return mutate


def not_numbers(random: Random, values: Arrays) -> None:
    name = random.choice([name for name in values if "_" in name])
    values[name] = np.full_like(values[name], random.choice((np.nan, np.inf, 3e38)))


def other_shapes(random: Random, values: Arrays) -> None:
    name = random.choice(list(values))
    value = values[name]
    values[name] = random.choice(
        (value[..., None], value.reshape(-1), np.zeros((0, 3), "<f4"), np.zeros((), "<f4"),
         np.zeros((1,) * 9, "<f4"), np.zeros(200_000, "<f4"))
    )  # fmt: skip


def other_names(random: Random, values: Arrays) -> None:
    name = random.choice(list(values))
    new = random.choice(("Variable_999", "\x1b[31m", "", "x" * 3000, "Variable_1/Adam"))
    values[new] = values.pop(name)


OF_TENSORFLOW = {
    "not numbers": of_arrays(not_numbers),
    "other shapes": of_arrays(other_shapes),
    "other names": of_arrays(other_names),
}
