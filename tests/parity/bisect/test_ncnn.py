from __future__ import annotations

import re

import numpy as np
import pytest

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.opened.artifact import open_artifact, reference_of
from sttk.toolkit.parity.bisect.bisection import bisect
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets.ncnn.intermediates import InstrumentedNcnn
from sttk.toolkit.targets.ncnn.runner import NcnnRunner


@pytest.fixture
def artifact(make, batch):
    def made(precision="fp32", rewrites=False):
        return make("ncnn", size=batch.shape[2:], precision=precision, rewrites=rewrites)

    return made


def with_parameter(model, layer, before, after):
    """Change a parameter in a layer's line."""
    text = model.read_text()
    line = next(line for line in text.splitlines() if f" {layer} " in line)
    changed = line.replace(f" {before}", f" {after}")
    assert changed != line
    model.write_text(text.replace(line, changed))


def layers_of(model, kind):
    return re.findall(rf"^{kind} +(\S+)", model.read_text(), re.MULTILINE)


def flip_a_weight(model, weight):
    """The largest weight of a convolution changes its sign."""
    content = bytearray(model.with_suffix(".bin").read_bytes())
    values = weight.detach().numpy()
    start = content.index(values.tobytes()) + 4 * int(np.abs(values).argmax())
    content[start + 3] ^= 0x80
    model.with_suffix(".bin").write_bytes(content)


def pad_by_edge(model, net):
    layer = layers_of(model, "Padding")[3]
    with_parameter(model, layer, "4=2", "4=1")
    return layer


def subtract(model, net):
    layer = layers_of(model, "BinaryOp")[0]
    with_parameter(model, layer, "0=0", "0=1")
    return layer


def wrong_weight(model, net):
    flip_a_weight(model, net.get_submodule("net.conv3.conv").weight)
    return layers_of(model, "Convolution")[2]


@pytest.mark.parametrize(
    ("fault", "block", "kind"),
    [
        (pad_by_edge, "net.blocks.0.conv1.pad", "Padding"),
        (subtract, "net.blocks.0: add", "BinaryOp"),
        (wrong_weight, "net.conv3.conv", "Convolution"),
    ],
)
def test_the_layer_with_the_fault_is_named(
    artifact, net, batch, tmp_path, reproduced, fault, block, kind
):
    model = artifact() / "model.param"
    layer = fault(model, net)
    found = bisect(model, net, batch, "fp32", tmp_path / "out")
    assert found.first.block == block
    assert (found.first.operation, found.first.kind) == (layer, kind)
    assert [row.block for row in found.rows if row.at_fault] == [block]
    model.unlink()  # the reproduction has all it needs
    result = reproduced(tmp_path / "out")
    assert result.returncode == 1, result.stderr
    assert f"SNR {found.first.alone:.1f} dB" in result.stdout


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_correct_model_has_no_such_block(artifact, batch, precision):
    opened = open_artifact(artifact(precision))
    found = bisect(opened.model, reference_of(opened.manifest), batch, precision)
    assert found.first is None
    assert not found.notes or precision == "int8"
    assert all(row.tensor or "fake_quantize" in row.function for row in found.rows)


def test_a_wrong_shift_is_a_fault_of_the_int8_convolution(artifact, batch):
    """Its quantiser is in the layer, so there is no tensor to be taken for it."""
    opened = open_artifact(artifact("int8"))
    reference = reference_of(opened.manifest)
    shift = layers_of(opened.model, "BinaryOp")[2]
    with_parameter(opened.model, shift, "2=", "2=1")  # 12.3 instead of 2.3
    found = bisect(opened.model, reference, batch, "int8")
    assert found.first.function == "conv2d"
    assert found.first.kind == "Convolution"
    assert [row.block for row in found.rows if row.at_fault] == [found.first.block]


def test_bfloat16_between_layers_is_told_apart(artifact, net, batch):
    """It is run with the runner's settings, and its script has them, too."""
    model = artifact() / "model.param"
    wide, narrow = (
        InstrumentedNcnn(model, Settings(inference_precision=each)) for each in (None, "bf16")
    )
    assert "use_bf16_storage = False" in wide.script
    assert "use_bf16_storage = True" in narrow.script
    assert narrow.notes
    assert not wide.notes
    name = wide.intermediates[1].tensor
    assert not np.array_equal(wide.run(batch)[name], narrow.run(batch)[name])


def test_a_part_needs_no_layer_before_it(artifact, batch):
    instrumented = InstrumentedNcnn(artifact() / "model.param")
    values = instrumented.run(np.concatenate([batch, batch[..., ::-1]]))
    first, second, third = (each.tensor for each in instrumented.intermediates[:3])
    part = instrumented.part(third, {first, second})
    assert part.inputs == (second,)
    np.testing.assert_array_equal(part.run(values), values[third])
    assert instrumented.part(second, ()).inputs == (instrumented.input,)


def test_a_blob_that_cannot_be_computed_is_an_error(artifact):
    runner = NcnnRunner(artifact() / "model.param")
    with pytest.raises(RunError, match="ncnn: no out0"):
        runner.extract({}, ["out0"])
