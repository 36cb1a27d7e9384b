from __future__ import annotations

import filecmp
import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from sttk.exporters import exporter
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.core.errors import ExportError, RunError, UsageError
from sttk.toolkit.core.rungs import EXACT, FAITHFUL
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.targets import open_model
from sttk.toolkit.targets.coreai.runner import describe
from tests.rungs import rung

pytestmark = pytest.mark.skipif(
    not find_spec("coreai_torch"), reason="coreai-torch is not installed: pip install sttk[coreai]"
)
TWO = Shapes.one_of([(64, 96), (36, 52)])


def batch(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def rung_of(folder, net, x):
    return rung(open_model(folder / "model.aimodel").run(x), net, x)


def same(folder, other):
    files = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    assert len(files) == 5
    return filecmp.cmpfiles(folder, other, files, shallow=False)[0] == files


@pytest.mark.parametrize(
    ("shapes", "shape"),
    [
        (Shapes.fixed(64, 96), (1, 3, 64, 96)),
        (Shapes.fixed(37, 61), (1, 3, 37, 61)),
        (Shapes.fixed(40, 24, batch=2), (2, 3, 40, 24)),
        (TWO, (1, 3, 64, 96)),
        (TWO, (1, 3, 36, 52)),
        (Shapes.any(), (1, 3, 37, 61)),
        (Shapes.any(), (3, 3, 40, 24)),
    ],
)
def test_it_is_the_same_function(make, net, shapes, shape):
    folder = make("coreai", shapes=shapes)
    assert open_model(folder / "model.aimodel").takes == shapes
    assert rung_of(folder, net, batch(*shape)) == EXACT


@pytest.mark.parametrize("shapes", [Shapes.fixed(64, 96), TWO])
def test_other_sizes_are_refused(make, shapes):
    runner = open_model(make("coreai", shapes=shapes) / "model.aimodel")
    for shape in ((1, 3, 96, 64), (2, 3, 64, 96)):
        with pytest.raises(RunError, match="Core AI: image has an invalid shape"):
            runner.run(batch(*shape))


def test_fp16_keeps_float32_at_its_ends(make, net):
    folder = make("coreai", size=(64, 96), precision="fp16")
    facts = describe(folder / "model.aimodel")
    shape = "NDArray (Float32, 1 x 3 x 64 x 96)"
    assert facts["functions"] == {
        "main": {"inputs": {"image": shape}, "outputs": {"stylized": shape}}
    }
    assert facts["precision"] == "fp16"
    assert rung_of(folder, net, batch(1, 3, 64, 96)) == FAITHFUL


def test_fp16_is_the_default():
    assert exporter("coreai").PRECISIONS[0] == "fp16"


def test_one_function_for_each_size(make):
    folder = make("coreai", shapes=TWO)
    named = {"main": "64x96", "main_36x52": "36x52"}
    assert read_manifest(folder).target.options == {"functions": named}
    assert describe(folder / "model.aimodel")["functions"].keys() == named.keys()


def test_instance_norms_and_reflect_pads_stay_whole(make):
    operations = describe(make("coreai", size=(64, 96)) / "model.aimodel")["operations"]
    assert (operations["conv2d"], operations["pad"], operations["invoke"]) == (10, 10, 9)


def test_same_input_same_bytes(make, net, tmp_path):
    again = make_artifact("coreai", ExportRequest(net, shapes=TWO), tmp_path)
    assert same(make("coreai", shapes=TWO), again)


def test_same_bytes_in_another_process(make, net, tmp_path):
    """Where hashes are seeded anew; and nothing but sttk prints."""
    command = [sys.executable, "-c", "from sttk.cli import main; main()"]
    arguments = ["--target", "coreai", "--precision", "fp32", "--size", "64x96", "-o", tmp_path]
    result = subprocess.run(
        [*command, "export", net.origin.source, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 2
    assert same(make("coreai", size=(64, 96)), tmp_path / "tiny" / "coreai-fp32-64x96")


def test_nothing_of_this_machine_is_inside(make, net, tmp_path):
    package = make("coreai", size=(64, 96)) / "model.aimodel"
    content = b"".join(file.read_bytes() for file in package.iterdir())
    assert all(text not in content for text in (b".py", b"/home", b"/tmp", b"/work", b"Date"))
    about = json.loads((package / "metadata.json").read_bytes())
    assert about["creatorDefinedMetadata"]["sttk.checkpoint.sha256"] == net.origin.sha256


def test_a_range_is_refused(net, tmp_path):
    shapes = Shapes.within((32, 32), (64, 64), (96, 96))
    with pytest.raises(UsageError, match=r"takes no --min-size.*pass --size, or --dynamic, or --s"):
        make_artifact("coreai", ExportRequest(net, shapes=shapes), tmp_path)


def test_a_net_that_cannot_be_exported_is_one_line(net, tmp_path, capsys):
    class Stubborn(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    stubborn = type(net)(Stubborn(), net.contract, net.origin)
    with pytest.raises(ExportError, match="coreai-torch failed") as caught:
        exporter("coreai").export(ExportRequest(stubborn, shapes=Shapes.fixed(64, 64)), tmp_path)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""
