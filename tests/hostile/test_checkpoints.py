"""Found by the fuzzer in checkpoints, each with the smallest input that shows it."""

from __future__ import annotations

import io
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.host import memory
from sttk.toolkit.nets.johnson import MOST_BLOCKS, JohnsonSpec
from sttk.toolkit.nets.mobile import MobileSpec
from tests.hostile.checkpoints import SPEC, saved, state
from tests.hostile.refusal import refused


def test_archives_that_are_packed(tmp_path):
    """A kilobyte of a file, a hundred megabytes of memory."""
    with zipfile.ZipFile(io.BytesIO(saved({"w": torch.zeros(1)}))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, bytes(100 << 20) if name.endswith("data/0") else content)
    before = memory.peak()
    refused(CheckpointError, load, tmp_path / "x.pth", saying="packed")
    assert before is None or memory.peak() - before < 50 << 20


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_numbers_that_are_not_real(suffix, tmp_path, recwarn):
    content = {key: value.to(torch.complex64) for key, value in state().items()}
    path = tmp_path / f"x{suffix}"
    if suffix == ".pth":
        path.write_bytes(saved(content))
    else:
        save_file(content, path)
    refused(CheckpointError, load, path, saying="is of torch.complex64")
    assert not recwarn.list


def test_tensors_without_values(tmp_path, recwarn):
    content = state()
    content["conv2.conv2d.weight"] = content["conv2.conv2d.weight"][:0]
    (tmp_path / "x.pth").write_bytes(saved(content))
    refused(CheckpointError, load, tmp_path / "x.pth", saying="without values")
    refused(ValueError, JohnsonSpec, (0, 3, 4))
    assert not recwarn.list


def test_blocks_that_no_bytes_back(tmp_path):
    content = state() | {f"res{n}.in1.bias": torch.zeros(1) for n in range(2, 3000)}
    (tmp_path / "x.pth").write_bytes(saved(content))
    refused(CheckpointError, load, tmp_path / "x.pth", saying="tensors are more than")
    for make in (lambda n: JohnsonSpec(SPEC.widths, n), lambda n: MobileSpec(blocks=n)):
        assert make(MOST_BLOCKS).blocks == MOST_BLOCKS
        refused(ValueError, make, MOST_BLOCKS + 1)


@pytest.mark.parametrize(
    "about", ['{"format": 1, "net": []}', "[" * 5000 + "]" * 5000, '"\\ud800"']
)
def test_metadata_that_is_of_no_use(about, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors", metadata={"sttk": about})
    refused(CheckpointError, load, tmp_path / "x.safetensors")
