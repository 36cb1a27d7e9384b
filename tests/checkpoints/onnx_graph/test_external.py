"""Weights beside the graph: read, bound by their digest, and nothing else is read."""

from __future__ import annotations

import shutil

import numpy as np
import onnx
import pytest
import torch

from sttk.toolkit.artifact.search import find_artifacts, parse_manifest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io.files import sha256
from tests.hostile.onnx_files import small


def split(path, *, location="net.onnx.data", threshold=0):
    """A small net in two files."""
    model = onnx.load_model_from_string(small())
    onnx.save_model(
        model, path, save_as_external_data=True, location=location, size_threshold=threshold
    )
    return path


@pytest.fixture
def two(tmp_path):
    (tmp_path / "two").mkdir()
    return split(tmp_path / "two/net.onnx")


@pytest.fixture
def changed(two):
    """The two files after a change to the first one's entries of its second."""

    def build(change):
        model = onnx.load(two, load_external_data=False)
        for tensor in model.graph.initializer:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            if entries:
                change(entries)
                del tensor.external_data[:]
                for key, value in entries.items():
                    tensor.external_data.add(key=key, value=value)
        two.write_bytes(model.SerializeToString())
        return two

    return build


def refused(path, *parts):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    text = str(caught.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_it_is_the_net_of_one_file(two, tmp_path):
    assert (two.parent / "net.onnx.data").stat().st_size > 0
    (tmp_path / "one.onnx").write_bytes(small())
    one, other = load(tmp_path / "one.onnx"), load(two)
    x = torch.rand(1, 3, 24, 32) * 255
    assert torch.equal(one(x), other(x))
    assert one.origin.sha256 == sha256(tmp_path / "one.onnx")
    assert other.origin.sha256 != sha256(two)


def test_the_second_file_is_bound_by_its_digest(two, sttk, tmp_path):
    assert sttk("export", two, "--size", 24, "-o", tmp_path / "out").exit_code == 0
    (folder,) = find_artifacts(tmp_path / "out")
    assert parse_manifest(folder).checkpoint.sha256 == load(two).origin.sha256
    assert sttk("verify", folder, "--require-checkpoint").exit_code == 0
    data = two.parent / "net.onnx.data"
    content = bytearray(data.read_bytes())
    content[0] ^= 1
    data.write_bytes(content)
    result = sttk("verify", folder, "--require-checkpoint")
    assert result.exit_code == 1
    assert "has changed since the export" in result.stdout.replace("\n", " ")
    assert "has changed since the export" in sttk("parity", folder).stderr
    shutil.move(data, tmp_path / "elsewhere")
    assert sttk("verify", folder, "--require-checkpoint").exit_code == 1


@pytest.mark.parametrize(
    "name", ["../net.onnx.data", "/etc/passwd", "..", "", ".", "a\0b", "x" * 999]
)
def test_no_other_file_is_read(name, changed, tmp_path):
    (tmp_path / "net.onnx.data").write_bytes(bytes(1 << 16))
    path = changed(lambda entries: entries.update(location=name))
    refused(path, "cannot be read as a style net: ")


def test_links_do_not_lead_out_of_the_folder(two, tmp_path):
    data = two.parent / "net.onnx.data"
    shutil.move(data, tmp_path / "data")
    refused(two, "net.onnx.data is not beside it", "together in one folder")
    data.symlink_to(tmp_path / "data")
    refused(two, "net.onnx.data is outside its folder", "not links")


@pytest.mark.parametrize(
    ("key", "value"),
    [("offset", "99999999"), ("length", "999999999999"), ("offset", "-1"), ("length", "1e3"),
     ("offset", "9" * 400), ("length", "0"), ("length", "7")],
)  # fmt: skip
def test_places_that_the_file_does_not_have(key, value, changed):
    refused(changed(lambda entries: entries.update({key: value})))


def test_one_file_is_not_read_many_times_over(two):
    model = onnx.load(two, load_external_data=False)
    tensor = max(model.graph.initializer, key=lambda each: np.prod(each.dims))
    for number in range(50):
        copy = model.graph.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = f"copy{number}"
    two.write_bytes(model.SerializeToString())
    refused(two, "more than its files can hold")


def test_weights_that_are_not_finished(two):
    data = two.parent / "net.onnx.data"
    data.write_bytes(data.read_bytes()[:-9])
    refused(two, "lies beyond the end of net.onnx.data", "download or copy both")
