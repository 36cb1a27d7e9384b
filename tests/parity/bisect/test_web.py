"""Bisection of a page: its graph is run by its own runtime, in Chromium."""

from __future__ import annotations

import shutil

import onnx
import pytest

from sttk.toolkit.core.errors import ArtifactError, RunError
from sttk.toolkit.opened.artifact import open_artifact, reference_of
from sttk.toolkit.parity.bisect.bisection import bisect
from sttk.toolkit.targets.web.intermediates import InstrumentedPage
from sttk.toolkit.targets.web.sessions import PageSessions


def add_one_input_twice(page):
    """The first sum of two computed tensors is that of a residual block."""
    model = onnx.load(page / "model.onnx")
    computed = {output for node in model.graph.node for output in node.output}
    sums = (node for node in model.graph.node if node.op_type == "Add")
    node = next(each for each in sums if computed.issuperset(each.input))
    node.input[1] = node.input[0]
    onnx.save_model(model, page / "model.onnx")
    return node.name


def test_the_node_with_the_fault_is_named(page, browser, net, batch, tmp_path, reproduced):
    opened = open_artifact(shutil.copytree(page, tmp_path / "page"))
    reference = reference_of(opened.manifest)
    correct = bisect(opened.model, reference, batch, "fp32")
    assert correct.first is None
    assert not any(row.at_fault for row in correct.rows)
    assert "run by WebAssembly in Chromium; WebGPU was not run" in correct.notes

    node = add_one_input_twice(opened.folder)
    found = bisect(opened.model, reference, batch, "fp32", tmp_path / "out")
    assert found.first.block == "net.blocks.0: add"
    assert (found.first.operation, found.first.kind) == (node, "Add")
    assert [row.block for row in found.rows if row.at_fault] == ["net.blocks.0: add"]
    result = reproduced(tmp_path / "out")
    assert result.returncode == 1, result.stderr
    assert f"SNR {found.first.alone:.1f} dB" in result.stdout


def test_a_model_that_the_runtime_refuses_is_an_error(page, browser):
    sessions = PageSessions(page)
    try:
        with pytest.raises(RunError, match="the page: "):
            sessions.run(b"no model", {})
    finally:
        sessions.close()


def test_a_folder_that_is_no_page_is_refused(tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    with pytest.raises(ArtifactError, match="no page of sttk's"):
        InstrumentedPage(tmp_path / "index.html")
