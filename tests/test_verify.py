from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from sttk.toolkit import targets
from sttk.toolkit.artifact.manifest import Checkpoint, Manifest, Target, model_sha256
from sttk.toolkit.artifact.search import parse_manifest, read_entry
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.files import sha256
from sttk.toolkit.opened import verify as module
from sttk.toolkit.opened.artifact import float_reference_of, open_artifact
from sttk.toolkit.opened.verify import verify
from sttk.toolkit.parity.run import Judge, ParityConfig
from sttk.toolkit.targets import target
from sttk.toolkit.targets.onnx.runner import OnnxRuntimeRunner
from sttk.toolkit.targets.requirements import Requirements
from sttk.workflows.record import record_parity


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def artifact(net, source, tmp_path):
    """Writes an artifact: a package with its README, or what ``changes`` say of it."""

    def write(**changes):
        folder = tmp_path / "artifacts" / "net" / "coreml-fp16"
        (folder / "model.mlpackage" / "Data").mkdir(parents=True)
        names = ("model.mlpackage/Manifest.json", "model.mlpackage/Data/weights", "README.md")
        for name in names:
            (folder / name).write_bytes(name.encode())
        manifest = Manifest(
            style="net",
            model="model.mlpackage",
            files={name: sha256(folder / name) for name in names},
            checkpoint=Checkpoint(str(source), sha256(source), "sttk"),
            contract=net.contract,
            target=Target("coreml", "fp16", Shapes.fixed(64, 64)),
            promise="exact",
            promise_in_half="faithful",
        )
        dataclasses.replace(manifest, **changes).write(folder)
        return folder

    return write


def proven(folder, device="host", **changes):
    manifest = parse_manifest(folder)
    record = {"model_sha256": model_sha256(manifest), "passed": True, "not_run": "", **changes}
    dataclasses.replace(manifest, parity={device: record}).write(folder)


def answers(verdict):
    return {finding.question: finding.passed for finding in verdict.findings}


def test_whole_and_proven(artifact):
    folder = artifact()
    assert answers(verify(read_entry(folder))) == {
        "files": True,
        "checkpoint": True,
        "parity": None,
    }
    proven(folder)
    verdict = verify(read_entry(folder), require_checkpoint=True, require_parity=True)
    assert answers(verdict) == {"files": True, "checkpoint": True, "parity": True}
    assert str(verdict).startswith(f"pass: {folder}: 3 files; ")


@pytest.mark.parametrize("name", ["model.mlpackage/Data/weights", "README.md"])
def test_changed_and_missing_files(name, artifact):
    folder = artifact()
    (folder / name).write_bytes(b"other")
    assert f"{name}: its bytes are not those" in str(verify(read_entry(folder)))
    (folder / name).unlink()
    verdict = verify(read_entry(folder))
    assert not verdict.passed
    assert f"FAIL: {folder}: {name}: missing" in str(verdict)


@pytest.mark.parametrize("name", ["extra.txt", "model.mlpackage/Data/more", ".DS_Store", "link"])
def test_a_file_that_the_manifest_does_not_name(name, artifact, source):
    folder = artifact()
    if name == "link":
        (folder / name).symlink_to(source.parent)
    else:
        (folder / name).write_bytes(b"")
    verdict = verify(read_entry(folder))
    assert not verdict.passed
    assert f"{name} is not in the manifest" in str(verdict)


def test_every_fault_is_told(artifact):
    folder = artifact()
    (folder / "README.md").unlink()
    (folder / "model.mlpackage" / "Data" / "weights").write_bytes(b"other")
    (folder / "extra").write_bytes(b"")
    faults = [finding for finding in verify(read_entry(folder)).findings if finding.passed is False]
    assert len(faults) == 3


def test_the_checkpoint(artifact, source):
    folder = artifact()
    source.write_bytes(b"trained on")
    assert "has changed since the export" in str(verify(read_entry(folder)))
    assert not verify(read_entry(folder)).passed
    source.unlink()
    assert verify(read_entry(folder)).passed
    assert "not checked: gone" in str(verify(read_entry(folder)))
    assert not verify(read_entry(folder), require_checkpoint=True).passed


def test_a_shipped_style_is_found_and_one_that_is_shipped_no_more_is_gone(artifact):
    path = module.styles.locate("style:ink")
    folder = artifact(checkpoint=Checkpoint("style:ink", sha256(path), "sttk"))
    assert answers(verify(read_entry(folder)))["checkpoint"]
    shutil.rmtree(folder)
    folder = artifact(checkpoint=Checkpoint("style:none", "0", "sttk"))
    assert "style:none not checked: gone" in str(verify(read_entry(folder)))


def test_the_file_of_a_chosen_style_is_looked_at(artifact, tmp_path):
    file = tmp_path / "several.onnx"
    file.write_bytes(b"styles")
    folder = artifact(checkpoint=Checkpoint(f"{file}#style=3", sha256(file), "onnx"))
    assert answers(verify(read_entry(folder)))["checkpoint"]
    file.write_bytes(b"others")
    assert "has changed since the export" in str(verify(read_entry(folder)))


def test_a_checkpoint_whose_name_is_too_long_is_not_checked(artifact):
    folder = artifact(checkpoint=Checkpoint("/" + "x" * 300, "0", "sttk"))
    assert "not checked: File name too long" in str(verify(read_entry(folder)))


@pytest.mark.parametrize(
    ("record", "passed", "text"),
    [
        ({"model_sha256": "0"}, False, "proven for another model"),
        ({"passed": False}, False, "parity failed"),
        ({"passed": "yes"}, False, "parity failed"),
        ({"not_run": "no GPU"}, None, "only its graph is proven: no GPU"),
    ],
)
def test_parity_that_proves_nothing(record, passed, text, artifact):
    folder = artifact()
    proven(folder, **record)
    verdict = verify(read_entry(folder))
    assert answers(verdict)["parity"] is passed
    assert text in str(verdict)
    assert not verify(read_entry(folder), require_parity=True).passed


def test_a_parity_record_of_the_wrong_kind(artifact):
    assert "cannot be read" in str(verify(read_entry(artifact(parity={"host": ["passed"]}))))


def test_the_digest_is_of_all_that_the_model_consists_of(artifact):
    manifest = parse_manifest(artifact())
    digest = model_sha256(manifest)
    for name in manifest.files:
        changed = dataclasses.replace(manifest, files={**manifest.files, name: "0" * 64})
        assert (model_sha256(changed) == digest) == (name == "README.md")
    renamed = {name.replace("weights", "w"): digest for name, digest in manifest.files.items()}
    assert model_sha256(dataclasses.replace(manifest, files=renamed)) != digest
    backwards = dict(reversed(manifest.files.items()))
    assert model_sha256(dataclasses.replace(manifest, files=backwards)) == digest
    one = dataclasses.replace(manifest, model="a", files={"a": "1" * 64, "README.md": "2" * 64})
    assert model_sha256(one) == "1" * 64


def test_the_command(artifact, sttk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = sttk("verify")
    assert result.exit_code == 2
    assert "no artifact at or below it" in result.stderr
    folder = artifact()
    result = sttk("verify")
    assert result.exit_code == 0
    assert result.stdout.startswith("pass: artifacts/net/coreml-fp16: 3 files")
    assert sttk("verify", "--require-checkpoint").exit_code == 0
    result = sttk("verify", "--require-parity", "--json")
    assert result.exit_code == 1
    (entry,) = json.loads(result.stdout)
    assert not entry["passed"]
    assert [finding["question"] for finding in entry["findings"]] == [
        "files",
        "checkpoint",
        "parity",
    ]
    assert "1 of 1 fail: artifacts/net/coreml-fp16" in result.stderr
    (folder / "manifest.json").write_text("{")
    assert sttk("verify").exit_code == 2
    assert "not a manifest" in sttk("verify").stdout
    assert sttk("verify", "none").exit_code == 2


def test_one_line_an_artifact_and_no_control_characters(artifact, sttk):
    folder = artifact(checkpoint=Checkpoint("\x1b]0;owned\x07\n", "0", "sttk"))
    other = shutil.copytree(folder, folder.parent / "other")
    result = sttk("verify", folder.parent, other)
    assert len(result.stdout.splitlines()) == 2
    assert "\x1b" not in result.stdout


def test_parity_of_a_package_binds_itself_to_all_of_it(make, photo, tmp_path, monkeypatch):
    class Packaged(type(target("onnx"))):
        def open_model(self, model, settings):
            return OnnxRuntimeRunner(model / "model.onnx", settings)

    packaged = Packaged("onnx", "x.package", "onnxruntime", Requirements(()))
    monkeypatch.setattr(targets, "of_model", lambda model: packaged)
    folder = shutil.copytree(make("onnx", size=(64, 96)), tmp_path / "packaged")
    (folder / "x.package").mkdir()
    (folder / "model.onnx").rename(folder / "x.package" / "model.onnx")
    (folder / "x.package" / "more").write_bytes(b"")
    manifest = parse_manifest(folder)
    names = ("README.md", "x.package/model.onnx", "x.package/more")
    files = {name: sha256(folder / name) for name in names}
    dataclasses.replace(manifest, model="x.package", files=files).write(folder)

    opened = open_artifact(folder)
    report = Judge(ParityConfig([photo])).artifact(opened, float_reference_of(opened.manifest))
    assert report.passed
    record_parity(opened, report)
    assert verify(read_entry(folder), require_parity=True).passed
    proof = parse_manifest(folder)
    assert proof.parity["host"]["model_sha256"] not in files.values()
    (folder / "x.package" / "more").write_bytes(b"more")
    other = {**files, "x.package/more": sha256(folder / "x.package" / "more")}
    dataclasses.replace(proof, files=other).write(folder)
    assert "proven for another model" in str(verify(read_entry(folder)))
