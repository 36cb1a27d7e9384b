from __future__ import annotations

import openvino
import pytest

from sttk.toolkit.host import machine
from sttk.toolkit.parity.bisect.bisection import bisect
from sttk.toolkit.targets.openvino.intermediates import InstrumentedOpenVino


@pytest.fixture
def model(make, batch):
    return make("openvino", size=batch.shape[2:], rewrites=False) / "model.xml"


def test_the_operation_with_the_fault_is_named(model, net, batch, tmp_path, reproduced):
    network = openvino.Core().read_model(model)
    pad = next(op for op in network.get_ops() if op.get_friendly_name() == "node_pad_2")
    wrong = openvino.opset13.pad(
        pad.input_value(0), pad.input_value(1), pad.input_value(2), "edge", name="node_pad_2"
    )
    for target in pad.output(0).get_target_inputs():
        target.replace_source_output(wrong.output(0))
    openvino.save_model(network, tmp_path / "broken.xml", compress_to_fp16=False)
    found = bisect(tmp_path / "broken.xml", net, batch, "fp32", tmp_path / "out")
    assert found.first.block == "net.conv3.pad"
    assert (found.first.operation, found.first.kind) == ("node_pad_2", "Pad")
    assert [row.block for row in found.rows if row.at_fault] == ["net.conv3.pad"]
    result = reproduced(tmp_path / "out")
    assert result.returncode == 1, result.stderr
    assert f"SNR {found.first.alone:.1f} dB" in result.stdout


def test_a_correct_model_has_no_such_block(model, net, batch):
    found = bisect(model, net, batch, "fp32")
    assert found.first is None
    assert not found.reproduction
    assert all(row.tensor for row in found.rows)


@pytest.mark.parametrize("overflows", [True, False])
def test_int8_is_run_as_the_runtime_runs_it(make, batch, monkeypatch, overflows):
    """Where 16-bit sums overflow, in float32: else right convolutions are found at fault."""
    model = make("openvino", size=batch.shape[2:], precision="int8") / "model.xml"
    monkeypatch.setattr(machine, "int8_sums_overflow", lambda: overflows)
    assert ("LP_TRANSFORMS_MODE" in InstrumentedOpenVino(model).script) == overflows
    asked = []
    compiled = openvino.Core.compile_model

    def noted(core, network, device, hints):
        asked.append("LP_TRANSFORMS_MODE" in hints)
        return compiled(core, network, device, hints)

    monkeypatch.setattr(openvino.Core, "compile_model", noted)
    InstrumentedOpenVino(model).run(batch)
    assert asked == [overflows]
