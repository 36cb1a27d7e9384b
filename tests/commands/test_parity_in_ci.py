"""``sttk parity`` as a pipeline runs it: files, exit codes, annotations."""

from __future__ import annotations

import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

import onnx
import pytest
from PIL import Image

import sttk.workflows.candidates
from sttk.exporters.artifact import make_entry
from sttk.toolkit.core.errors import MissingExtraError
from sttk.toolkit.targets.coreml.runner import CoreMLRunner


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def good(make, tmp_path):
    """A copy: parity writes into the manifest."""
    return shutil.copytree(make(size=(64, 96)), tmp_path / "artifacts" / "tiny" / "onnx")


@pytest.fixture
def bad(good, tmp_path):
    """A bare model whose last pad repeats the edge."""
    model = onnx.load(good / "model.onnx")
    pad = [node for node in model.graph.node if node.op_type == "Pad"][-1]
    next(a for a in pad.attribute if a.name == "mode").s = b"edge"
    onnx.save_model(model, tmp_path / "bad.onnx")
    return tmp_path / "bad.onnx"


@pytest.fixture
def ask(sttk):
    """Of one regime with one picture, which is quick."""

    def run(*arguments):
        return sttk("parity", *arguments, "--regime", "bright")

    return run


FILES = ("--junit", "r/p.xml", "--markdown", "r/p.md", "--html", "r/p.html", "--heatmaps", "r/heat")


def test_a_run_that_passes_writes_everything(ask, good):
    result = ask(good, *FILES, "--require", "onnx")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("r").iterdir()) == ["heat", "p.html", "p.md", "p.xml"]
    root = ET.parse("r/p.xml").getroot()
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["2", "0", "0"]
    assert "parity holds for 1 model" in Path("r/p.md").read_text()
    assert Path("r/p.html").read_text().count("data:image/") == 4
    assert not list(Path("r/heat").iterdir())
    assert "::" not in result.stderr


def test_a_run_that_fails_writes_everything(ask, good, bad, checkpoint):
    result = ask(good, bad, *FILES, "--reference", checkpoint)
    assert result.exit_code == 1
    root = ET.parse("r/p.xml").getroot()
    assert [suite.get("failures") for suite in root] == ["0", "1"]
    assert "border" in root[1].find("testcase/failure").text
    assert "parity fails for 1 of 2 models" in Path("r/p.md").read_text()
    assert Path("r/p.html").read_text().count("data:image/") == 8
    (heatmap,) = Path("r/heat").rglob("*.png")
    assert heatmap.name == "bright-64x96.png"
    with Image.open(heatmap) as image:
        light = image.convert("L").resize((96, 64 + 32 // 3), Image.Resampling.BOX)
        assert light.getpixel((48, 1)) > 2 * light.getpixel((48, 32))


def test_the_same_run_makes_the_same_files(ask, good):
    made = []
    for _ in range(2):
        assert ask(good, *FILES).exit_code == 0
        made.append([Path(f"r/p.{suffix}").read_bytes() for suffix in ("xml", "md", "html")])
    assert made[0] == made[1]


def test_on_github_failures_are_annotated_and_json_stays_json(
    ask, good, bad, checkpoint, monkeypatch
):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = ask(bad, "--reference", checkpoint, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["passed"] is False
    assert result.stderr.startswith("::error title=parity fails%3A ")
    assert ask(good).stderr == "::notice title=sttk parity::parity holds for 1 model\n"


def test_a_job_summary_keeps_what_other_commands_wrote(ask, good, monkeypatch, tmp_path):
    summary = tmp_path / "summary"
    summary.write_text("# earlier\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    for _ in range(2):
        assert ask(good, "--markdown", summary).exit_code == 0
    text = summary.read_text()
    assert text.startswith("# earlier\n")
    assert text.count("### sttk: parity holds") == 2


def test_a_variable_that_is_not_set_is_no_folder(ask, good):
    result = ask(good, "--markdown", "")
    assert result.exit_code == 2
    assert "'--markdown': it is an empty name" in result.stderr


@pytest.mark.parametrize("option", ["--junit", "--markdown", "--html", "--heatmaps"])
def test_an_output_that_cannot_be_written_is_found_before_the_run(ask, good, option, tmp_path):
    (tmp_path / "file").write_text("")
    before = (good / "manifest.json").read_bytes()
    result = ask(good, option, "file/x")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert (good / "manifest.json").read_bytes() == before  # nothing was judged


def test_two_results_in_one_file_are_refused(sttk, good):
    result = sttk("parity", good, "--junit", "x", "--html", "x")
    assert result.exit_code == 2
    assert "x: named for two results" in result.stderr


def test_what_is_required_and_was_not_judged(ask, good):
    result = ask(good, "--require", "openvino", "--junit", "p.xml")
    assert result.exit_code == 3
    assert "--require openvino: no such model was judged" in result.stderr
    root = ET.parse("p.xml").getroot()
    assert (root[0].get("errors"), root[1].get("errors")) == ("0", "1")
    result = ask(good, "--require", "abacus")
    assert result.exit_code == 2
    assert "'abacus' is not one of" in result.stderr


def test_a_failure_is_graver_than_what_did_not_run(ask, bad, checkpoint):
    result = ask(bad, "--reference", checkpoint, "--require", "openvino")
    assert result.exit_code == 1
    assert "parity fails for 2 of 2" in result.stderr


def test_a_bare_model_is_of_a_target_too(ask, good, checkpoint):
    result = ask(good / "model.onnx", "--reference", checkpoint, "--require", "onnx")
    assert result.exit_code == 0, result.output


@pytest.fixture
def shipped(monkeypatch, net):
    """The default run, with a net that is quicker than the shipped one."""
    monkeypatch.setattr(sttk.workflows.candidates.styles, "find", lambda _: net)


def test_without_artifacts_onnx_and_core_ml_are_judged(ask, shipped, tmp_path):
    if find_spec("coremltools") is None:
        pytest.skip("not run: coremltools is not installed")
    result = ask("--require", "onnx", "--require", "coreml", "--json")
    assert result.exit_code == 0, result.output
    reports = json.loads(result.stdout)
    assert [report["candidate"] for report in reports] == [
        "tiny/onnx-fp32-dynamic",
        "tiny/coreml-fp16-256x256",
    ]
    assert [report["runtime"] for report in reports] == ["onnxruntime", CoreMLRunner.name]
    assert not list(tmp_path.iterdir())


def test_without_coremltools_the_rest_is_judged(ask, shipped, monkeypatch):
    def make(target, request, root):
        if target == "coreml":
            raise MissingExtraError("coremltools", "coreml")
        return make_entry(target, request, root)

    monkeypatch.setattr(sttk.workflows.candidates, "make_entry", make)
    result = ask("--junit", "p.xml")
    assert result.exit_code == 0, result.output
    assert "not run: ink to coreml: coremltools is not installed (pip install" in result.stdout
    suite = ET.parse("p.xml").getroot()[1]
    assert "pip install 'sttk[coreml]'" in suite.find("testcase/skipped").get("message")
    result = ask("--require", "coreml")
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith("error: coremltools is not installed")


def test_without_onnx_nothing_is_judged(ask, shipped, monkeypatch):
    def make(target, request, root):
        raise MissingExtraError("onnx", "onnx")

    monkeypatch.setattr(sttk.workflows.candidates, "make_entry", make)
    result = ask()
    assert result.exit_code == 3
    assert "pip install 'sttk[onnx]'" in result.stderr


def test_a_summary_is_a_line_a_model(ask, good, bad, checkpoint, tmp_path):
    result = ask(good, bad, tmp_path / "artifacts" / "tiny", "--summary")
    assert result.exit_code == 2
    first, second, third, said = result.stdout.splitlines()
    assert re.fullmatch(
        r"pass: \S+/onnx under onnxruntime, float32 on \S+: exact promised; 1 exact; "
        r"worst: bright 64x96, \d+\.\d dB",
        first,
    )
    assert re.fullmatch(r"FAIL: \S+bad.onnx: \S+ has no manifest .*", second)
    assert third == first
    assert re.fullmatch(
        r"proven: float32 on \S+; not run: float32 on ARM64 \(sttk parity --device arm64\)", said
    )
    result = ask(bad, "--reference", checkpoint, "--summary")
    assert result.exit_code == 1
    line, said = result.stdout.splitlines()
    assert line.startswith(f"FAIL: {bad} under onnxruntime, float32 on ")
    assert said.startswith("proven: nothing; not run: ")
    assert "the border is off by" in line
    assert "give one of them" in ask(good, "--summary", "--json").stderr


def test_what_cannot_be_bisected_is_an_outcome(ask, good):
    result = ask(good, "--bisect", "--inference-precision", "f16", "--json")
    assert result.exit_code == 2
