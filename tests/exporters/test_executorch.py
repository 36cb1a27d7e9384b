"""ExecuTorch takes 10 s to import and some to export; what is quick here is the gate's."""

from __future__ import annotations

import pytest

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError, UsageError
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.opened.artifact import open_artifact, reference_of
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.executorch.runner import describe
from tests.exporters.phones import SMALL, follows, pictures, rung_of

pytest.importorskip("executorch")
SIZE = {"size": (64, 96)}


def test_it_is_the_same_function(make, net):
    assert rung_of(make("executorch", **SIZE), net, pictures(2, 3, 64, 96)) == EXACT


def test_what_it_is_made_of(make):
    folder = make("executorch", **SIZE)
    manifest = read_manifest(folder)
    assert set(manifest.rewrites) >= {"transposed-upsample", "sliced-pads"}
    assert manifest.target.options == {"delegated parts": 1}
    facts = describe(folder / "model.pte")
    assert facts["methods"] == ["forward"]
    assert facts["delegates"] == ["XnnpackBackend"]
    assert "[1, 3, 64, 96]" in facts["inputs"][0]


def test_another_size_and_another_precision_are_refused(make):
    model = make("executorch", **SIZE) / "model.pte"
    with pytest.raises(RunError, match="the program takes 64x96, not"):
        open_model(model).run(pictures(1, 3, 64, 64))
    with pytest.raises(NotRunError, match="not run: ExecuTorch computes as its program says"):
        open_model(model, Settings("f32"))


def test_any_size_is_refused(net, tmp_path):
    with pytest.raises(UsageError, match="executorch takes no --dynamic"):
        make_artifact("executorch", ExportRequest(net, shapes=Shapes.any()), tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\0\0ET11", b"\0\0\0\0ET12", b"\x1c\0\0\0ET12" * 9],
    ids=["empty", "version", "short", "noise"],
)
def test_a_file_that_is_no_program(content, tmp_path):
    (tmp_path / "m.pte").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"ExecuTorch cannot load it|an empty file"):
        open_model(tmp_path / "m.pte")


@pytest.mark.nightly
def test_fp16_computes_in_float16(make, net):
    folder = make("executorch", precision="fp16", **SIZE)
    # Whether it is faithful is the plan's affair; that it is of float16, and of this net, is seen.
    assert rung_of(folder, net, pictures(1, 3, 64, 96)) != EXACT
    assert read_manifest(folder).target.options == {"delegated parts": 1}


@pytest.mark.nightly
def test_int8_is_what_the_quantised_reference_computes(make, net):
    folder = make("executorch", precision="int8", size=SMALL)
    manifest = open_artifact(folder).manifest
    assert manifest.quantization["inputs"].keys() == manifest.quantization["outputs"].keys()
    assert follows(folder, reference_of(manifest), net)


@pytest.mark.nightly
def test_the_same_bytes_again(make, net, tmp_path):
    again = make_artifact("executorch", ExportRequest(net, shapes=Shapes.fixed(64, 96)), tmp_path)
    assert read_manifest(again).files == read_manifest(make("executorch", **SIZE)).files
