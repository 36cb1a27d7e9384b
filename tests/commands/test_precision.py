"""``sttk precision`` on a net with one block that float16 spoils."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging import charts
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.workflows.plan_search import measure

SENSITIVE = {"net.conv2": "fp32", "net.norm2": "fp32"}


@pytest.fixture(scope="module")
def sensitive(checkpoint, tmp_path_factory):
    """A constant that the norm takes away again leaves float16 few bits for the rest."""
    net = load(checkpoint).net
    with torch.no_grad():
        net.conv2.conv.bias.add_(150.0)
    path = tmp_path_factory.mktemp("nets") / "sensitive.safetensors"
    save_net(path, net, Contract(), {})
    return path


@pytest.fixture
def search(sttk, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measure, "ROUNDS", 2)

    def run(*arguments):
        return sttk("precision", *arguments, "--size", "64x96")

    return run


def test_exactly_the_block_that_float16_spoils(search, sensitive, sttk, tmp_path):
    result = search(sensitive, "--floor", 40, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    first, chosen = found["candidates"][0], found["candidates"][found["chosen"]]
    assert first["plan"] == {"default": "fp16"}
    assert first["worst_db"] < 40 <= chosen["worst_db"]
    assert chosen["plan"] == {"default": "fp16", **SENSITIVE}
    assert min(found["alone_db"], key=found["alone_db"].get) == "net.conv2"
    file = json.loads((tmp_path / "sensitive-onnx.plan.json").read_text())
    assert file["plan"] == chosen["plan"]
    with Image.open(tmp_path / "sensitive-onnx.plan.png") as picture:
        assert picture.width > 800

    exported = sttk("export", sensitive, "--plan", found["file"], "--size", "64x96")
    assert exported.exit_code == 0, exported.output
    (manifest,) = (tmp_path / "artifacts").rglob("manifest.json")
    assert read_manifest(manifest.parent).plan == chosen["plan"]
    assert sttk("parity", manifest.parent).exit_code == 0


@pytest.mark.nightly
def test_no_plan_holds_the_floor(search, checkpoint, tmp_path):
    result = search(checkpoint, "--floor", 200, "--no-chart")
    assert result.exit_code == 1
    assert "no plan holds 200 dB: the best, fp32, has " in result.stderr
    assert "(ask for less, or for another --high)" in result.stderr
    assert "below" in result.stdout
    assert "holds" not in result.stdout
    assert not list(tmp_path.glob("*.plan.*"))


@pytest.mark.nightly
def test_int8_by_time(search, checkpoint, tmp_path):
    """For int8, the floor is against the float net; time is the runtime's own."""
    photos = shipped_photos()[0].parent
    result = search(checkpoint, "--precision", "int8", "--floor", 35, "--calib", photos, "--json",
                    "--target", "openvino", "-o", "deep/p.json", "--no-chart")  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    times = [candidate["milliseconds"] for candidate in found["candidates"]]
    assert (found["cost"], found["runtime"]) == ("time", "openvino")
    assert times == sorted(times)
    chosen = found["candidates"][found["chosen"]]
    assert chosen["worst_db"] >= 35
    held = [c for c in found["candidates"] if c["worst_db"] >= 35]
    assert chosen["milliseconds"] == min(c["milliseconds"] for c in held)
    assert json.loads((tmp_path / "deep/p.json").read_text())["plan"] == chosen["plan"]


@pytest.mark.nightly
def test_the_table_fits_and_says_what_is_cheapest(search, sensitive):
    result = search(sensitive, "--floor", 40, "--target", "coreml")
    assert result.exit_code == 0, result.output
    table = result.stdout.splitlines()[1:12]
    assert all(len(line.rstrip()) <= 80 for line in table)
    assert "by bytes of weights and activations moved" in result.stdout
    assert "not Apple's kernels" in result.stdout
    assert "--target coreml --plan sensitive-coreml.plan.json" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--floor", 40, "--high", "fp16"], 2, "--high fp16 is what blocks are lowered to"),
        (["--floor", "nan"], 2, "not a finite number"),
        ([], 2, "Missing option '--floor'"),
        (["--floor", 40, "--target", "coreai", "--precision", "int8"], 2, "no precision int8"),
        (["--floor", 40, "--target", "onnx", "--precision", "fp8"], 2, "no precision fp8"),
        (["--floor", 40, "--target", "coreml", "--cost", "time"], 3, "cannot be timed here"),
        (["--floor", 40, "--photos", "."], 2, "no pictures in it"),
    ],
)
def test_what_cannot_be_searched(search, checkpoint, arguments, code, words):
    result = search(checkpoint, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_chart_that_cannot_be_drawn_is_known_before_the_search(search, checkpoint, monkeypatch):
    monkeypatch.setattr(charts, "figure", Lazy("not_installed", "charts"))
    result = search(checkpoint, "--floor", 40)
    assert result.exit_code == 3
    assert "pip install 'sttk[charts]'" in result.stderr
