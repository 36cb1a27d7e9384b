from __future__ import annotations

import dataclasses

import pytest

from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.opened import artifact
from sttk.toolkit.opened.artifact import open_artifact

RANGE = Shapes.within((32, 32), (48, 48), (64, 64))


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_a_range_is_kept_where_the_file_cannot_say_it(make, target):
    assert open_artifact(make(target, shapes=RANGE)).runner().takes == RANGE


def test_any_size_stays_any(make):
    assert open_artifact(make("onnx")).runner().takes == Shapes.any()


def test_styles_of_one_file_have_each_a_net_which_is_read_once(make, monkeypatch):
    read = []
    monkeypatch.setattr(artifact, "float_reference_of", lambda m: read.append(m.checkpoint) or m)
    manifest = open_artifact(make("onnx")).manifest
    other = dataclasses.replace(
        manifest, checkpoint=dataclasses.replace(manifest.checkpoint, source="x.onnx#style=1")
    )
    nets = artifact.ReferenceNets()
    assert nets.of(manifest) is nets.of(manifest) is manifest
    assert nets.of(other) is other  # of the same digest
    assert read == [manifest.checkpoint, other.checkpoint]
