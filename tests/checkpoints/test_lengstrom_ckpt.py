"""lengstrom's nets in TensorFlow's own files, against the folder that is read already."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch

from sttk.toolkit.checkpoints import lengstrom, load
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io import tensorflow
from tests.checkpoints.tensorflow_files import bundle, crc32c, slices


def arrays() -> dict[str, np.ndarray]:
    """lengstrom's net of widths 2, 3, 4 and a block, with Adam's variables."""
    random = np.random.default_rng(0)
    convolutions = [(9, 3, 2), (3, 2, 3), (3, 3, 4), (3, 4, 4), (3, 4, 4), (3, 4, 3), (3, 3, 2),
                    (9, 2, 3)]  # fmt: skip
    shapes: list[tuple[int, ...]] = []
    for index, (side, taken, given) in enumerate(convolutions):
        ends = (given, taken) if index in (5, 6) else (taken, given)
        shapes += [(side, side, *ends), (given,), (given,)]
    names = ["Variable", *(f"Variable_{n}" for n in range(1, len(shapes)))]
    made = {n: random.normal(0, 0.5, s).astype("<f4") for n, s in zip(names, shapes, strict=True)}
    for name in names[:3]:
        made[f"{name}/Adam"] = np.ones_like(made[name])
    return {**made, "beta1_power": np.full((), 0.5, "<f4")}


def write_bundle(folder, content=None):
    index, data = content or bundle(arrays())
    (folder / "fns.ckpt.index").write_bytes(index)
    (folder / "fns.ckpt.data-00000-of-00001").write_bytes(data)
    (folder / "fns.ckpt.meta").write_bytes(b"graph")


def same(net) -> bool:
    state = {key: torch.from_numpy(value.copy()) for key, value in arrays().items()}
    wanted = lengstrom.build({k: v for k, v in state.items() if "/" not in k and "beta" not in k})
    rgb = torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(0)) * 255
    return torch.equal(net(rgb), wanted.net.eval()(rgb).clamp(0, 255))


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001"])
def test_a_bundle_by_any_of_its_names(tmp_path, suffix):
    write_bundle(tmp_path)
    net = load(tmp_path / f"fns.ckpt{suffix}")
    assert net.origin.layout == "lengstrom"
    assert same(net)


def test_the_single_file_of_before(tmp_path):
    (tmp_path / "wave.ckpt").write_bytes(slices(arrays()))
    assert same(load(tmp_path / "wave.ckpt"))


def test_the_checksum_is_the_standards():
    # RFC 3720, B.4: 32 bytes of zeros, 32 of ones; unmasked they are 8a9136aa and 62a8ab43.
    for byte, known in ((b"\0", 0x8A9136AA), (b"\xff", 0x62A8AB43)):
        masked = ((known >> 15 | known << 17) + 0xA282EAD8) & 0xFFFFFFFF
        assert crc32c(byte * 32) == masked
        assert tensorflow._checksum(byte * 32) == masked


def refused(tmp_path, match, name="fns.ckpt.index"):
    with pytest.raises(CheckpointError, match=match) as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_data_of_another_training_is_refused(tmp_path):
    index, data = bundle(arrays())
    write_bundle(tmp_path, (index, data[:100] + b"\1" + data[101:]))
    refused(tmp_path, "checksum")
    write_bundle(tmp_path, (index, data[:-8]))
    refused(tmp_path, "bytes at")
    (tmp_path / "fns.ckpt.data-00000-of-00001").unlink()
    refused(tmp_path, "beside it")


@pytest.mark.parametrize("cut", [0, 7, 48, 200])
def test_truncated_tables_are_one_line(tmp_path, cut):
    index, data = bundle(arrays())
    write_bundle(tmp_path, (index[-cut:] if cut else b"", data))
    refused(tmp_path, "not a readable TensorFlow file")


def test_sizes_that_lie_take_no_memory(tmp_path):
    index, data = bundle(arrays())
    for at in range(0, len(index), 3):
        changed = bytearray(index)
        changed[at] ^= 0xFF
        try:
            tensorflow.read_bundle(bytes(changed), data, lambda name: "Adam" not in name)
        except ValueError:
            continue
    with pytest.raises(ValueError, match="64 bits"):
        tensorflow._varint(b"\xff" * 20, 0)
    footer = struct.pack("<B", 0) * 40 + tensorflow._MAGIC
    with pytest.raises(ValueError, match="past its end"):
        tensorflow.read_bundle(footer, b"", bool)
