from __future__ import annotations

import dataclasses
import json
import platform
import shutil
from pathlib import Path

import numpy as np
import pytest

from sttk.benchmarks.rows import Timing
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.artifact import tuned
from sttk.toolkit.artifact.search import read_manifest
from sttk.toolkit.artifact.tuned import Tuned, settings_here, this_machine
from sttk.toolkit.core.errors import NotRunError, UsageError
from sttk.toolkit.core.rungs import EXACT
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.opened.artifact import OpenArtifact, open_artifact
from sttk.toolkit.parity.run import ParityConfig
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.styles import find
from sttk.toolkit.targets.ncnn.runner import NcnnRunner
from sttk.workflows import tune as tuning
from sttk.workflows.choice import Choice
from sttk.workflows.opening import opened

QUICK = ParityConfig(shipped_photos()[:1], regimes=("photo",))


@pytest.fixture
def artifact(make, tmp_path):
    return Path(shutil.copytree(make("onnx", size=(64, 96)), tmp_path / "artifact"))


@pytest.fixture
def times(monkeypatch):
    """Makes up the milliseconds of the combinations, the runtime's own choice first."""

    def made_up(*milliseconds, slowest=1.0):
        def of(models, *_):
            given = [*milliseconds, *[99.0] * (len(models) - len(milliseconds))]
            return [timing(each, slowest) for each in given]

        monkeypatch.setattr(tuning, "_times", of)

    return made_up


def timing(milliseconds, slowest=1.0):
    turns = [milliseconds] * 3 + [milliseconds * slowest]
    return Timing(tuple((each / 1e3,) for each in turns), (), 0.1, 0.1, None, True)


def record(folder, **changes):
    """A manifest of the artifact that says what was chosen, and for what."""
    manifest = read_manifest(folder)
    own = Tuned(Settings(threads=1), this_machine(), tuned.model_sha256(manifest), (64, 64), 1, 2,
                "pass")  # fmt: skip
    return dataclasses.replace(manifest, bench={**own.to_dict(), **changes})


def test_it_is_measured_and_recorded(sttk, artifact):
    assert sttk("parity", artifact, "--regime", "photo").exit_code == 0
    before = read_manifest(artifact)
    result = sttk("tune", artifact)
    assert result.exit_code == 0, result.output
    assert "its own choice" in result.stdout
    assert "1 thread" in result.stdout
    assert "1 thread, plain layout" in result.stdout
    chosen = read_manifest(artifact).bench
    assert 0 < chosen["milliseconds"] <= chosen["default_milliseconds"]
    assert chosen["verdict"] in ("default", "pass")
    assert dataclasses.replace(read_manifest(artifact), bench=None) == before
    assert sttk("verify", artifact).exit_code == 0


def test_the_fastest_that_holds_the_promise_is_chosen(artifact, times):
    times(10.0, 3.0, 2.0)
    found = tuning.tune(open_artifact(artifact), QUICK, (512, 512), lambda *_: None)
    assert found.chosen.settings == Settings(threads=1)
    assert found.chosen.size == (64, 96)
    assert settings_here(read_manifest(artifact)) == found.chosen.settings
    assert [trial.verdict for trial in found.trials[:3]] == ["default", "", "pass"]


def test_what_gains_nothing_is_not_chosen(artifact, times):
    times(10.0, 9.8, 9.9)
    found = tuning.tune(open_artifact(artifact), QUICK, (512, 512), lambda *_: None)
    assert found.chosen.settings == Settings()
    assert {trial.verdict for trial in found.trials[1:]} == {""}


def test_arithmetic_that_breaks_the_promise_is_not_chosen(make, times):
    pytest.importorskip("ncnn")
    folder = make("ncnn", size=(64, 96))
    assert next(iter(tuning._combinations(NcnnRunner.choices))) == Settings(threads=1)
    times(10.0, *[99.0] * len(tuning._threads()), 1.0)
    exact = dataclasses.replace(QUICK, promise=EXACT)
    found = tuning.tune(open_artifact(folder), exact, (64, 96), lambda *_: None)
    (fastest,) = (trial for trial in found.trials if trial.milliseconds == 1.0)
    assert fastest.settings == Settings("bf16")
    assert fastest.verdict == "fail"
    assert found.chosen.settings == Settings()


def test_what_cannot_run_here_is_left_out(artifact, times, monkeypatch):
    def runner(self, settings=None):
        if settings and settings.threads:
            raise NotRunError("no such arithmetic here")
        return run(self, settings)

    run = OpenArtifact.runner
    monkeypatch.setattr(OpenArtifact, "runner", runner)
    times(10.0, 9.0)
    found = tuning.tune(open_artifact(artifact), QUICK, (512, 512), lambda *_: None)
    assert [trial.settings for trial in found.trials] == [Settings(), Settings(layout="plain")]


def test_one_that_fails_while_it_is_timed_is_an_error(artifact, monkeypatch):
    def broken(models, *_, **__):
        return [timing(9.0), *[NotRunError("its process died")] * (len(models) - 1)]

    monkeypatch.setattr(tuning, "time_interleaved", broken)
    with pytest.raises(NotRunError, match="its process died"):
        tuning.tune(open_artifact(artifact), QUICK, (512, 512), lambda *_: None)
    assert read_manifest(artifact).bench is None


def test_only_the_fastest_are_judged_until_one_passes(artifact, times, monkeypatch):
    judged = []
    run = tuning.Judge.artifact
    monkeypatch.setattr(
        tuning.Judge, "artifact", lambda *arguments: judged.append(1) or run(*arguments)
    )
    times(10.0, 3.0, 2.0, 4.0)
    tuning.tune(open_artifact(artifact), QUICK, (512, 512), lambda *_: None)
    assert len(judged) == 1


def test_what_was_chosen_is_used(make):
    pytest.importorskip("ncnn")
    folder = make("ncnn", size=(64, 96))
    before = read_manifest(folder)
    for settings, noted in ({"inference_precision": "bf16"}, 1), ({}, 0), ({"threads": "all"}, 0):
        record(folder, settings=settings).write(folder)
        with opened(Choice(artifact=folder)) as (runner, _):
            assert len(runner.notes) == noted
    before.write(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": "another, 64 threads (AMX)"},
        {"model_sha256": "0" * 64},
        {"settings": {"threads": 1 << 40}},
        {"settings": {"threads": 0}},
        {"settings": {"threads": "1"}},
        {"settings": {"inference_precision": "f8"}},
        {"settings": {"layout": ["plain"]}},
        {"settings": None},
        {"settings": [1]},
    ],
    ids=str,
)
def test_what_was_chosen_elsewhere_or_is_no_setting_is_not_used(artifact, changes):
    assert settings_here(record(artifact)) == Settings(threads=1)
    assert settings_here(record(artifact, **changes)) is None
    assert settings_here(dataclasses.replace(record(artifact), bench=["x"])) is None


def test_a_busy_machine_is_said(sttk, artifact, times):
    for slowest, said in ((1.2, False), (2.5, True)):
        times(10.0, 9.9, slowest=slowest)
        assert ("noisy: the slowest picture took 2.5" in sttk("tune", artifact).stdout) == said


def test_json(sttk, artifact):
    (found,) = json.loads(sttk("tune", artifact, "--json").stdout)
    assert found["runtime"] == "onnxruntime"
    assert found["chosen"] == read_manifest(artifact).bench
    assert found["trials"][0]["settings"]["threads"] is None


def test_what_cannot_be_tuned(sttk, artifact, tmp_path):
    result = sttk("tune", tmp_path / "nothing")
    assert result.exit_code == 2
    assert "no artifact at or below it" in result.stderr
    shapes = Shapes.within((32, 32), (64, 64), (96, 96))
    manifest = read_manifest(artifact)
    target = dataclasses.replace(manifest.target, shapes=shapes)
    dataclasses.replace(manifest, target=target).write(artifact)
    with pytest.raises(UsageError, match="not 128x128"):
        tuning.tune(open_artifact(artifact), QUICK, (128, 128), lambda *_: None)


def test_a_size_that_the_net_does_not_take_is_made_larger(make, tmp_path, times):
    folder = Path(shutil.copytree(make("onnx", size=None), tmp_path / "artifact"))
    times(10.0)
    size = tuning.tune(open_artifact(folder), QUICK, (61, 30), lambda *_: None).chosen.size
    assert size == read_manifest(folder).contract.size_for(61, 30)


def test_what_leaves_nothing_to_choose_is_said(sttk, artifact, monkeypatch):
    monkeypatch.setattr(tuning, "_combinations", lambda _: iter(()))
    result = sttk("tune", artifact)
    assert result.exit_code == 3
    assert "onnxruntime leaves nothing to choose here" in result.stderr
    assert read_manifest(artifact).bench is None


def test_a_plain_layout_has_none_that_is_blocked(tmp_path):
    """Of a net whose channels fill blocks, on processors that have them."""
    request = ExportRequest(find("ink-mobile-m"), shapes=Shapes.fixed(64, 96))
    folder = make_artifact("onnx", request, tmp_path)

    def kinds(layout):
        runner = open_artifact(folder).runner(Settings(layout=layout, profile=True))
        runner.run(np.zeros((1, 3, 64, 96), np.float32))
        return {node.kind for node in runner.profile()}

    if "ReorderInput" not in kinds(None) and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("not run: ONNX Runtime has no blocked layout for this processor")
    assert "ReorderInput" in kinds(None)
    assert "ReorderInput" not in kinds("plain")


def test_what_was_chosen_lies_with_the_artifact_that_is_alone_in_a_folder(make, tmp_path, times):
    folder = shutil.copytree(make("onnx", size=(64, 96)), tmp_path / "tiny" / "onnx")
    times(10.0, 3.0, 2.0)
    tuning.tune(open_artifact(tmp_path / "tiny"), QUICK, (64, 96), lambda *_: None)
    assert read_manifest(folder).bench
    assert not (tmp_path / "tiny" / "manifest.json").exists()
