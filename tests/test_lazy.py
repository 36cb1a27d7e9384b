"""The one door to optional libraries, with packages written for it, and with two real ones."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib.util import find_spec

import pytest

from sttk.toolkit.core.errors import BrokenExtraError, MissingExtraError
from sttk.toolkit.host.optional import Lazy, imported

COMPILED = """
import sys, types
from importlib.machinery import ExtensionFileLoader
core = types.ModuleType("halfway.core")
core.__loader__ = ExtensionFileLoader("halfway.core", "core.so")
sys.modules["halfway.core"] = core
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package's modules: ``package("halfway", whole="x = 1", __init__="...")``."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(name, **modules):
        (tmp_path / name).mkdir(exist_ok=True)
        for module, text in modules.items():
            (tmp_path / name / f"{module}.py").write_text(text)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_failed_import_leaves_nothing_half_way(package):
    package("neighbour", __init__="from neighbour import part", part="")
    package("halfway", whole="x = 1", __init__="import neighbour, halfway.whole\n1 / 0")
    before = set(sys.modules)
    with pytest.raises(BrokenExtraError) as caught:
        imported("halfway", "onnx")
    assert str(caught.value) == (
        "halfway does not load: division by zero "
        "(pip install --upgrade 'sttk[onnx]'; sttk doctor says what does not fit)"
    )
    assert set(sys.modules) - before == {"neighbour", "neighbour.part"}


def test_the_next_one_works(package):
    """As with coremltools, which imports executorch: the second is asked for after the first."""
    package("halfway", whole="x = 1", __init__="from halfway import whole\n1 / 0")
    package("asks", __init__="import halfway")
    with pytest.raises(BrokenExtraError, match="asks does not load: division by zero"):
        imported("asks", "onnx")
    package("halfway", __init__="import halfway.whole")
    assert Lazy("halfway", "onnx").whole.x == 1
    assert imported("asks", "onnx").halfway is sys.modules["halfway"]


def test_what_is_compiled_is_not_set_up_twice(package):
    package("halfway", whole="", __init__=f"import halfway.whole{COMPILED}1 / 0")
    with pytest.raises(BrokenExtraError):
        imported("halfway", "onnx")
    assert [name for name in sys.modules if name.startswith("halfway")] == ["halfway.core"]


def test_a_warning_ends_no_import(package):
    package("warns", __init__="import warnings\nwarnings.warn('old', DeprecationWarning)\nx = 1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        assert Lazy("warns", "onnx").x == 1
        assert warnings.filters == filters


def test_a_module_that_is_absent_is_not_a_broken_one(package):
    package("needs", __init__="import absent_library")
    with pytest.raises(MissingExtraError, match="absent_library is not installed") as caught:
        imported("needs", "onnx")
    assert caught.type is MissingExtraError


# ExecuTorch fails in its middle, as it did by a warning of its own, when coremltools imported it.
PAIR = """
import importlib.resources, pathlib, sys, warnings
from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import BrokenExtraError
from sttk.toolkit.host.optional import imported
from sttk.toolkit.core.shapes import Shapes

def refuse(*_, **__):
    raise RuntimeError("in the middle")

read_text = importlib.resources.read_text
importlib.resources.read_text = refuse
warnings.simplefilter("error")
try:
    imported("executorch.exir", "executorch")
    sys.exit("it did not fail")
except BrokenExtraError as error:
    assert "executorch.exir does not load: in the middle" in str(error), error
assert "executorch.exir" not in sys.modules
importlib.resources.read_text = read_text
net = load(pathlib.Path(sys.argv[1]))
request = ExportRequest(net, shapes=Shapes.fixed(32, 32))
make_artifact("executorch", request, pathlib.Path(sys.argv[2]))
imported("coremltools", "coreml")
"""
# coremltools looks for libraries that sttk does not want it to have, and has them afterwards.
ALONE = """
import sys
from importlib.util import find_spec
from sttk.toolkit.host.optional import imported

imported("coremltools", "coreml")
assert not {"executorch", "torchao"} & {name.partition(".")[0] for name in sys.modules}
assert find_spec("executorch") and find_spec("torchao")
"""


@pytest.mark.skipif(
    not (find_spec("coremltools") and find_spec("executorch")), reason="both are needed"
)
@pytest.mark.nightly
def test_executorch_that_failed_once_works_beside_coremltools(checkpoint, tmp_path):
    run_alone(PAIR, checkpoint, tmp_path)


@pytest.mark.skipif(
    not (find_spec("coremltools") and find_spec("executorch")), reason="both are needed"
)
def test_coremltools_imports_no_executorch():
    run_alone(ALONE)


def run_alone(program, *arguments):
    """In a process of its own, which has imported nothing."""
    command = [sys.executable, "-c", program, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
