"""The devices: what each says of itself, which models it judges, and what a verdict says of it."""

from __future__ import annotations

import json

import pytest

from sttk.toolkit import devices, targets
from sttk.toolkit.core.errors import NotRunError
from sttk.toolkit.core.rungs import EXACT, FAITHFUL, SAME_STYLE
from sttk.toolkit.devices import arm64
from sttk.toolkit.targets.base import FLOAT16, FLOAT32

HALVES = [each for each in targets.every() if each.half_precisions]


def test_the_host_is_the_default_and_runs_every_target():
    host = devices.device(devices.DEFAULT)
    assert all(host.runs(each) for each in targets.every())
    assert not host.lacking()


@pytest.mark.parametrize("device", devices.every(), ids=lambda each: each.name)
def test_a_device_has_targets_and_they_name_it(device):
    able = [each for each in targets.every() if device.runs(each)]
    assert able
    for target in able:
        named = device.name in target.devices or target.has_emulation
        assert named or device.name == devices.DEFAULT
        assert any(device.judges(target, each) for each in ("fp32", "fp16", "int8"))


@pytest.mark.parametrize("target", HALVES, ids=lambda each: each.name)
def test_a_model_is_in_float16_only_where_the_processor_has_it(target):
    for precision in target.half_precisions:
        assert target.computes_in(precision, target.half_features) == FLOAT16
        assert target.computes_in(precision, ()) == FLOAT32
        assert target.computes_in(precision, target.half_features, "f32") == FLOAT32
    assert "fp32" in target.half_precisions or (
        target.computes_in("fp32", target.half_features) == FLOAT32
    )


def test_what_is_promised_in_float16():
    """No model promises to be exact there, and one that is never computed so keeps its promise."""
    for target in targets.every():
        for precision in ("fp32", "fp16", "int8"):
            promised = target.promise_in_half(precision)
            if precision not in target.half_precisions:
                assert promised == target.promise(precision)
            else:
                assert promised != EXACT
    assert targets.target("onnx").promise_in_half("fp16") == FAITHFUL
    assert targets.target("litert").promise_in_half("fp32") == SAME_STYLE


def test_float32_that_is_coarser_promises_less():
    openvino = targets.target("openvino")
    assert openvino.promise_on(("NEON",), EXACT) == FAITHFUL
    assert openvino.promise_on(("NEON",), SAME_STYLE) == SAME_STYLE
    assert openvino.promise_on(("AVX2",), EXACT) == EXACT
    assert targets.target("onnx").promise_on(("NEON",), EXACT) == EXACT


def test_the_command_lists_them(sttk):
    result = sttk("devices", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [each["name"] for each in found] == list(devices.NAMES)
    assert found[0]["here"]
    for each in found:
        assert each["here"] == (not each["lacking"])
        assert all(need["fix"] for need in each["lacking"])
    table = sttk("devices")
    assert table.exit_code == 0
    assert all(each["name"] in table.stdout for each in found)


def test_what_is_missing_is_named_with_its_fix(monkeypatch, tmp_path, make, sttk):
    monkeypatch.setenv("STTK_DEVICES", str(tmp_path / "none"))
    device = devices.device("arm64")
    if not device.lacking():
        pytest.skip("not run: this host is an ARM")
    with pytest.raises(NotRunError) as raised:
        device.check()
    assert "sttk devices --install arm64" in str(raised.value)
    folder = make(size=(48, 64))
    result = sttk("parity", folder, "--device", "arm64", "--regime", "ramp")
    assert "not run: arm64 lacks" in result.output
    result = sttk("parity", folder, "--require-device", "arm64", "--regime", "ramp")
    assert result.exit_code == 3


def test_a_model_is_judged_only_where_it_is_computed_otherwise():
    f16, vulkan = devices.device("f16"), devices.device("vulkan")
    assert f16.judges(targets.target("litert"), "fp32")
    assert not f16.judges(targets.target("coreml"), "fp32")
    assert not vulkan.judges(targets.target("ncnn"), "fp32")
    assert vulkan.judges(targets.target("ncnn"), "fp16")


def test_a_run_says_what_is_proven_and_what_is_not(make, sttk):
    result = sttk("parity", make(size=(48, 64)), "--regime", "photo")
    assert result.exit_code == 0, result.output
    assert "proven: float32 on " in result.stdout
    if not arm64.DEVICE.lacking() or arm64.DEVICE.name in result.stdout:
        assert "sttk parity --device arm64" in result.stdout


def test_verify_asks_for_a_proof_on_a_device(make, sttk):
    folder = make(size=(48, 64))
    assert sttk("verify", folder).exit_code == 0
    result = sttk("verify", folder, "--require-device", "arm64")
    assert result.exit_code == 1
    assert "parity on arm64: not proven" in result.output
