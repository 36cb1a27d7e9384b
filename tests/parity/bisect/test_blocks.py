from __future__ import annotations

import numpy as np
import pytest

from sttk.toolkit.parity.bisect import bisection
from sttk.toolkit.parity.bisect.reference import reference_blocks
from sttk.toolkit.parity.bisect.snr import agreement, snr
from sttk.toolkit.runtimes.base import Closing


def test_blocks_have_the_names_of_their_modules(net, batch):
    blocks = reference_blocks(net, batch, "fp32")
    names = [block.name for block in blocks]
    assert names[:5] == ["net.conv1.pad", "net.conv1.conv", "net.norm1", "net: relu",
                         "net.conv2.pad"]  # fmt: skip
    assert "net.blocks.1: add" in names
    assert names[-1] == "clamp"
    assert len(set(names)) == len(names)
    assert [b.name for b in blocks if b.cancelled and "blocks" not in b.name] == [
        "net.conv1.conv", "net.conv2.conv", "net.conv3.conv", "net.up1.conv", "net.up2.conv"
    ]  # fmt: skip


def test_coarser_arithmetic_has_a_lower_floor(net, batch):
    floors = [reference_blocks(net, batch, p)[-1].floor for p in ("fp32", "fp16", "bf16")]
    assert floors == sorted(floors, reverse=True)
    assert floors[0] - floors[1] > 30


def test_snr_of_known_values():
    wanted = np.full((1, 1, 2, 2), 10, np.float32)
    assert snr(wanted + 1, wanted) == pytest.approx(20)
    assert snr(wanted, wanted) == np.inf
    assert snr(wanted * np.nan, wanted) == -np.inf


def test_what_a_norm_cancels_does_not_count():
    wanted = np.random.default_rng(0).normal(size=(1, 2, 8, 8)).astype(np.float32)
    got = wanted / 4 + np.array([3, -7], np.float32)[:, None, None]
    found, scale = agreement(got, wanted, cancelled=True)
    assert found > 100
    assert scale == 0.25
    assert agreement(got, wanted, cancelled=False)[0] < 10


def test_taps_that_change_the_answer_are_told_of(make, net, batch, monkeypatch):
    class Other(Closing):
        def run(self, picture):
            return picture * 0 + 100

    model = make(size=batch.shape[2:], rewrites=False) / "model.onnx"
    assert not bisection.bisect(model, net, batch, "fp32").notes
    monkeypatch.setattr(bisection, "open_model", lambda _: Other())
    changed, unseen = bisection.bisect(model, net, batch, "fp32").notes
    assert "fuses less" in changed
    assert "may be in what it no longer fuses" in changed
    assert "no block falls, yet the picture does" in unseen


def test_models_that_cannot_be_read_inside(tmp_path):
    from sttk.toolkit.core.errors import ArtifactError, UsageError
    from sttk.toolkit.targets import open_intermediates

    with pytest.raises(UsageError, match=r"no bisection of \.engine"):
        open_intermediates(tmp_path / "m.engine")
    with pytest.raises(UsageError, match=r"no bisection of \.pte models: .*XNNPACK") as refused:
        open_intermediates(tmp_path / "m.pte")
    takes = "it takes .onnx, .xml, .mlpackage, .param, .tflite, .html"
    assert refused.value.fix == takes
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(ArtifactError, match="not an ONNX model"):
        open_intermediates(tmp_path / "m.onnx")
