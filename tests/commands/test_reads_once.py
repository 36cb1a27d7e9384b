"""A command parses each manifest once and hashes each file once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sttk.exporters import artifact
from sttk.exporters.web import export as web
from sttk.exporters.web import ort_web
from sttk.toolkit.artifact import contents, search
from sttk.toolkit.artifact.manifest import FILE_NAME
from sttk.toolkit.io import files

REGIMES = ("--regime", "photo", "--size", "64x96")


@pytest.fixture
def folder(make):
    """An artifact. Its export, where it is the first to be asked for, is not counted."""
    return make("onnx", size=(64, 96))


@pytest.fixture
def reads(monkeypatch, folder):
    """How often each file was hashed, and each manifest parsed, by its name."""
    found = Counter()

    def counted(function):
        def call(path: Path, *more):
            found[path.name] += path.exists()
            return function(path, *more)

        return call

    digest = counted(files.sha256)
    for module in (artifact, contents, files, web):
        monkeypatch.setattr(module, "sha256", digest)
    monkeypatch.setattr(search, "read_json", counted(search.read_json))
    return found


def test_an_export_hashes_what_it_made_once_and_parses_nothing(sttk, checkpoint, reads, tmp_path):
    arguments = ("--size", "64x96", "-o", tmp_path / "out")
    assert sttk("export", checkpoint, *arguments).exit_code == 0
    assert reads["model.onnx"] == 1
    assert reads["README.md"] == 1
    assert reads[FILE_NAME] == 0


@pytest.mark.parametrize("options", [(), ("--bisect",)], ids=["judged", "bisected"])
def test_parity_parses_the_manifest_once_and_hashes_the_model_once(sttk, folder, reads, options):
    result = sttk("parity", folder, *REGIMES, *options)
    assert result.exit_code == 0, result.output
    assert (reads[FILE_NAME], reads["model.onnx"]) == (1, 1)


@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_looking_at_an_artifact_reads_it_once(sttk, folder, reads, command):
    assert sttk(command, folder).exit_code == 0
    assert (reads[FILE_NAME], reads["model.onnx"]) == (1, 1)


def test_a_page_is_hashed_once(sttk, checkpoint, reads, tmp_path, monkeypatch):
    monkeypatch.setattr(ort_web, "files", dict)
    result = sttk("export", checkpoint, "--target", "web", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    # The service worker is changed by the digest of all the rest.
    assert {name for name, count in reads.items() if count > 1} <= {"sw.js"}
