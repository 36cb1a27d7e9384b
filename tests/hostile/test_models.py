"""Found by the fuzzer in models: ONNX, OpenVINO, Core ML."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.targets.coreml.package import read_spec
from sttk.toolkit.targets.onnx.describe import describe
from sttk.toolkit.targets.openvino.runner import OpenVinoRunner
from tests.hostile import onnx_files
from tests.hostile.refusal import refused


def changed(tmp_path, change):
    model = onnx.ModelProto()
    model.ParseFromString(onnx_files.small())
    change(model)
    (tmp_path / "x.onnx").write_bytes(model.SerializeToString())
    return tmp_path / "x.onnx"


def test_a_constant_without_an_output(tmp_path):
    def change(model):
        tensor = onnx.numpy_helper.from_array(np.zeros(1, np.float32))
        node = onnx.helper.make_node("Constant", [], [], value=tensor)
        model.graph.node.append(node)

    assert describe(changed(tmp_path, change))["operations"]["Constant"] == 1


def test_shapes_whose_product_cannot_be_printed(tmp_path, sttk):
    path = changed(tmp_path, lambda model: model.graph.initializer[0].dims.extend([1 << 62] * 300))
    result = sttk("inspect", path)
    assert result.exit_code == 0
    assert "parameters" in result.stdout


@pytest.mark.parametrize("name", [b"Conv", b"nobody", b"w1"])
def test_onnx_names_that_are_no_text(name, tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(onnx_files.small().replace(name, b"\xff\xfe" + name[2:]))
    refused(ArtifactError, describe, path, saying="is no text")


def test_nets_whose_values_are_no_numbers(tmp_path, sttk, photo, recwarn):
    def change(model):
        weight = model.graph.initializer[0]
        weight.CopyFrom(
            onnx.numpy_helper.from_array(np.full((4, 3, 3, 3), 3e38, "f4"), weight.name)
        )

    path = changed(tmp_path, change)
    result = sttk("stylize", photo, "-o", tmp_path / "out.png", "--checkpoint", path)
    assert (result.exit_code, "no numbers" in result.stderr) == (1, True)
    assert not (tmp_path / "out.png").exists()
    assert not recwarn.list


@pytest.mark.parametrize("content", [bytes(600), b"<net", b'<net version="11">', b"", b"\x08\x07"])
def test_what_is_no_ir_is_not_given_to_other_readers(content, tmp_path, capfd):
    (tmp_path / "x.xml").write_bytes(content)
    refused(ArtifactError, OpenVinoRunner, tmp_path / "x.xml")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("path", ["\0", "../../outside", "/etc", 3, None])
def test_packages_whose_manifest_leads_elsewhere(path, tmp_path):
    package = tmp_path / "x.mlpackage"
    (package / "Data").mkdir(parents=True)
    items = {"a": {"path": path, "author": "com.apple.CoreML", "name": "x"}}
    content = {"rootModelIdentifier": "a", "itemInfoEntries": items}
    (package / "Manifest.json").write_text(json.dumps(content))
    refused(ArtifactError, read_spec, package)


def test_packages_whose_data_lie_elsewhere(tmp_path):
    package = tmp_path / "x.mlpackage"
    package.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "m.mlmodel").write_bytes(b"")
    (package / "Data").symlink_to("../outside")
    items = {"a": {"path": "m.mlmodel", "author": "com.apple.CoreML", "name": "x"}}
    content = {"rootModelIdentifier": "a", "itemInfoEntries": items}
    (package / "Manifest.json").write_text(json.dumps(content))
    refused(ArtifactError, read_spec, package, saying="outside it")
