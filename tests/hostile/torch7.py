"""Torch7's files: jcjohnson's nets, with trees, tensors and fields that no training makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch

from tests.checkpoints.test_jcjohnson import Model
from tests.checkpoints.torch7_files import Thing, group, layer, written
from tests.hostile.bytes_mutations import Mutation
from tests.hostile.sample import Sample
from tests.hostile.values import INTEGERS

_KINDS = ("nn.Sequential", "nn.SpatialConvolution", "nn.ConcatTable", "nn.CAddTable", "nn.Linear",
          "torch.FloatTensor", "torch.LongStorage", "os.execute", "nn.ShaveImage", "\x1b[31m",
          "nn.SpatialBatchNormalization", "nn.SpatialUpSamplingNearest")  # fmt: skip


def _model() -> Model:
    return Model("c9s1-2,d3,d4,R4,u3,u2,c9s1-3", "reflect-start", "batch")


def seed(scratch: Path) -> Sample:
    """A net with batch norm, of widths 2, 3, 4 and a block."""
    return Sample("net.t7", {"net.t7": written(_model().content())})


def _modules(thing: Thing) -> list[Thing]:
    below = thing.fields.get("modules", [])
    return [thing, *(each for child in below for each in _modules(child))]


def of_a_tree(change: Callable[[Random, list[Thing]], Any]) -> Mutation:
    """The change, made to the modules before they are written."""

    def mutate(random: Random, sample: Sample) -> Sample:
        model = _model()
        change(random, _modules(model.tree))
        return sample.with_file(sample.path, written(model.content()))

    return mutate


def fields(random: Random, modules: list[Thing]) -> None:
    thing = random.choice(modules)
    name = random.choice([*thing.fields, "groups", "padding"])
    thing.fields[name] = random.choice(
        (float(random.choice(INTEGERS)), float("nan"), float("inf"), "", None, True, {}, [1, 2],
         torch.zeros(1), torch.zeros(1).expand(1 << 20), 1e308, 0.5)
    )  # fmt: skip


def tensors(random: Random, modules: list[Thing]) -> None:
    holding = [each for each in modules if "weight" in each.fields]
    thing = random.choice(holding)
    value = thing.fields["weight"]
    thing.fields["weight"] = random.choice(
        (value[:0], value[None], value.flatten(), value.double(), value * float("nan"),
         value.expand(7, *value.shape), torch.zeros(10**6, 3, 1, 1), value.transpose(0, -1))
    )  # fmt: skip


def kinds(random: Random, modules: list[Thing]) -> None:
    random.choice(modules).kind = random.choice(_KINDS)


def shapes_of_trees(random: Random, modules: list[Thing]) -> None:
    """Modules in themselves, in each other, twice, many, deep, none."""
    groups = [each for each in modules if "modules" in each.fields]
    thing, other = random.choice(groups), random.choice(modules)
    children = thing.fields["modules"]
    deep = other
    for _ in range(40):
        deep = group("Sequential", deep)
    random.choice(
        (
            lambda: children.append(thing),
            lambda: children.insert(0, other),
            lambda: children.extend([layer("ReLU")] * 2000),
            children.clear,
            lambda: children.insert(0, deep),
            children.reverse,
            lambda: children.pop(random.randrange(len(children))),
        )
    )()


OF_TORCH7 = {
    "fields": of_a_tree(fields),
    "tensors": of_a_tree(tensors),
    "kinds": of_a_tree(kinds),
    "trees": of_a_tree(shapes_of_trees),
}
