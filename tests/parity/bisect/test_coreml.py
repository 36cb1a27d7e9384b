from __future__ import annotations

import shutil

import numpy as np
import pytest

from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.parity.bisect.bisection import bisect
from sttk.toolkit.targets.coreml.package import read_package

SPEC = "Data/com.apple.CoreML/model.mlmodel"


@pytest.fixture
def package(make, batch):
    def made(precision):
        shapes = Shapes.fixed(*batch.shape[2:])
        return make("coreml", shapes=shapes, precision=precision) / "model.mlpackage"

    return made


def broken(package, tmp_path, operation, edit):
    copy = shutil.copytree(package, tmp_path / "broken.mlpackage")
    found = read_package(copy)
    named = {op.outputs[0].name: op for op in found.operations}
    edit(named, named[operation])
    (copy / SPEC).write_bytes(found.spec.SerializeToString())
    return copy


def pad_by_edge(named, pad):
    mode = named[pad.inputs["mode"].arguments[0].name]
    mode.attributes["val"].immediateValue.tensor.strings.values[0] = "replicate"


def add_twice(named, add):
    add.inputs["y"].arguments[0].name = add.inputs["x"].arguments[0].name


@pytest.mark.parametrize(
    ("precision", "operation", "edit", "block", "kind"),
    [
        ("fp32", "pad_3", pad_by_edge, "net.blocks.0.conv1.pad", "pad"),
        ("fp16", "add_cast_fp16", add_twice, "net.blocks.0: add", "add"),
    ],
)
def test_the_operation_with_the_fault_is_named(
    package, net, batch, tmp_path, reproduced, precision, operation, edit, block, kind
):
    model = broken(package(precision), tmp_path, operation, edit)
    found = bisect(model, net, batch, precision, tmp_path / "out")
    assert found.first.block == block
    assert (found.first.operation, found.first.kind) == (operation, kind)
    assert [row.block for row in found.rows if row.at_fault] == [block]
    result = reproduced(tmp_path / "out")
    assert result.returncode == 1, result.stderr
    assert f"SNR {found.first.alone:.1f} dB" in result.stdout


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_correct_package_has_no_such_block(package, net, batch, precision):
    found = bisect(package(precision), net, batch, precision)
    assert found.first is None
    assert all(row.tensor for row in found.rows)
    assert any("interpreter" in note for note in found.notes)
    assert np.isfinite(found.rows[-1].snr)
