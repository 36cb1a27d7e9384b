"""A checkpoint of every layout, to every target, as a user does it."""

from __future__ import annotations

import json

import pytest

from sttk.toolkit import targets

CHECKPOINTS = (
    "checkpoints/gnsmrky/candy_nc16_b1_e2_1e05_1e10.model",
    "checkpoints/lengstrom/wave",
    "checkpoints/mobilenetv2/mmalotin_mobilenetv2_mosaic.pth",
    "checkpoints/pytorch_examples/candy.pth",
    "checkpoints/rrmina/rrmina_mosaic_TransformerResNextNetwork.pth",
    "onnx_peers/gnsmrky_candy_nc16_256x256_onnxjs013.onnx",
)


REGIMES = [word for kind in ("photo", "dark", "ramp", "noise") for word in ("--regime", kind)]
ALL = tuple(set(targets.NAMES) - {"coreai", "web"})  # what 'all' is


@pytest.mark.nightly
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_to_every_target(shared, name, sttk, tmp_path):
    options = ("--target", "all", "--precision", "fp16", "--size", "96x128", "-o", tmp_path)
    result = sttk("export", shared / name, *options, "--json")
    assert result.exit_code == 0, result.output
    result = sttk("parity", tmp_path, "--json", *REGIMES)
    assert result.exit_code == 0, result.output
    reports = {report["target"]: report for report in json.loads(result.stdout)}
    assert set(reports) == set(ALL)
    for target, report in reports.items():
        assert report["passed"], report
        if target == "trt" and report["not_run"]:
            assert report["not_run"] == "not run: no CUDA device"
            assert len(report["checks"]) >= 4
        else:
            assert report["not_run"] == ""


# What is calibrated, and computed in float64, is so once for all of a command's targets.
@pytest.mark.nightly
@pytest.mark.parametrize(
    "options",
    [
        ("--target", "onnx", "--target", "openvino", "--target", "ncnn", "--target", "litert"),
        ("--target", "coreml", "--deployment-target", "iOS17"),
    ],
)
def test_int8_of_a_real_net(shared, sttk, tmp_path, options):
    net = shared / "checkpoints/pytorch_examples/mosaic.pth"
    ways = (*options, "--precision", "int8", "--size", "96x128", "-o", tmp_path)
    result = sttk("export", net, *ways)
    assert result.exit_code == 0, result.output
    result = sttk("parity", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)) == options.count("--target")
