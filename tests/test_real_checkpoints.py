"""Every checkpoint at hand, through export and parity as a user runs them."""

from __future__ import annotations

import json

import pytest

from sttk.toolkit.core.rungs import RUNGS
from sttk.toolkit.parity.compare import HALF_WEIGHTS, REFERENCE

CHECKPOINTS = {
    "gnsmrky/candy_nc16_b1_e2_1e05_1e10.model": "pytorch-examples",
    "gnsmrky/mosaic_nc16_b1_e2_1e05_1e10.model": "pytorch-examples",
    "gnsmrky/mosaic_nc8_b1_e2_1e05_1e10.model": "pytorch-examples",
    "lengstrom/rain_princess": "lengstrom",
    "lengstrom/wave": "lengstrom",
    "mobilenetv2/mmalotin_mobilenetv2_mosaic.pth": "mobilenetv2",
    "pytorch_examples/candy.pth": "pytorch-examples",
    "pytorch_examples/mosaic.pth": "pytorch-examples",
    "pytorch_examples/pointilism.pth": "pytorch-examples",
    "pytorch_examples/rain_princess.pth": "pytorch-examples",
    "rrmina/rrmina_mosaic_TransformerResNextNetwork.pth": "rrmina-resnext",
}
# One of each layout and depth.
LAYOUTS = {
    "gnsmrky/mosaic_nc8_b1_e2_1e05_1e10.model",
    "lengstrom/wave",
    "mobilenetv2/mmalotin_mobilenetv2_mosaic.pth",
    "pytorch_examples/candy.pth",
    "rrmina/rrmina_mosaic_TransformerResNextNetwork.pth",
}


def test_all_checkpoints_at_hand_are_listed(shared):
    root = shared / "checkpoints"
    found = {p.parent if p.name == "manifest.json" else p for p in root.rglob("*.*") if p.is_file()}
    assert {str(p.relative_to(root)) for p in found} == set(CHECKPOINTS)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_each_layout_is_exported_and_proven(shared, name, sttk, tmp_path):
    checkpoint = shared / "checkpoints" / name
    result = sttk("export", checkpoint, "--dynamic", "--half", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    asked = ("--size", "96x128", "--regime", "dark", "--regime", "blur")
    result = sttk("parity", tmp_path, "--json", *asked)
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    # Faithful to the net, and exactly the net with the weights that the file holds.
    found = {against: set() for against in (REFERENCE, HALF_WEIGHTS)}
    for row in report["rows"]:
        found[row["against"]].add(row["rung"])
    assert found[REFERENCE] <= {"exact", "faithful"}
    assert found[HALF_WEIGHTS] == {"exact"}
    manifest = json.loads(next(tmp_path.rglob("manifest.json")).read_text())
    assert manifest["checkpoint"]["layout"] == CHECKPOINTS[name]


@pytest.mark.nightly
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_exports_fixed_and_dynamic_in_both_precisions(shared, name, sttk, tmp_path):
    checkpoint = shared / "checkpoints" / name
    for options in (["--size", "128x192"], ["--dynamic"]):
        for precision in ("fp32", "fp16"):
            result = sttk("export", checkpoint, *options, "--precision", precision, "-o", tmp_path)
            assert result.exit_code == 0, result.output
    result = sttk("parity", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    reports = json.loads(result.stdout)
    assert len(reports) == 4
    for report in reports:
        judged = [row["rung"] for row in report["rows"] if row["rung"] in RUNGS]
        assert len(judged) >= len(report["rows"]) - 4
        faithful = set() if "fp32" in report["candidate"] else {"faithful"}
        assert set(judged) <= {"exact", *faithful}
    manifest = json.loads(next(tmp_path.rglob("manifest.json")).read_text())
    assert manifest["checkpoint"]["layout"] == CHECKPOINTS[name]
