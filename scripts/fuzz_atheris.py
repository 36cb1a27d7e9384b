"""Coverage-guided fuzzing of one reader, with atheris, which is not a dependency.

    pip install atheris
    python scripts/fuzz_atheris.py manifest -max_total_time=120

KIND is manifest, safetensors or onnx; what follows goes to libFuzzer. A reader may refuse with an
error of sttk's own; anything else is a find, and libFuzzer writes its input to a file.
"""

from __future__ import annotations

import contextlib
import json
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from sttk.toolkit.core.errors import SttkError

_MODULES = {
    "manifest": [
        "sttk.toolkit.artifact.manifest",
        "sttk.toolkit.io.json_text",
        "sttk.toolkit.core.contract",
        "sttk.toolkit.core.shapes",
    ],
    "safetensors": ["sttk.toolkit.checkpoints.native", "sttk.toolkit.nets.trainable"],
    "onnx": ["sttk.toolkit.checkpoints.onnx_graph", "sttk.toolkit.targets.onnx.describe"],
}


def main() -> int:
    """Entry point."""
    kinds = ", ".join(_MODULES)
    if len(sys.argv) < 2 or sys.argv[1] not in _MODULES:
        click.echo(f"usage: fuzz_atheris.py KIND [libFuzzer's options]; kinds: {kinds}", err=True)
        return 2
    try:
        import atheris  # noqa: PLC0415
    except ModuleNotFoundError:
        click.echo("error: atheris is not installed (pip install atheris)", err=True)
        return 3
    kind = sys.argv.pop(1)
    with tempfile.TemporaryDirectory(prefix="sttk-atheris-") as scratch:
        with atheris.instrument_imports(include=_MODULES[kind], enable_loader_override=False):
            read, seed = _reader(kind, Path(scratch))
        corpus = Path(scratch) / "corpus"
        corpus.mkdir()
        (corpus / "seed").write_bytes(seed)

        def once(content: bytes) -> None:
            with contextlib.suppress(SttkError):
                read(content)

        atheris.Setup([*sys.argv, str(corpus)], once)
        atheris.Fuzz()
    return 0


def _reader(kind: str, scratch: Path) -> tuple[Callable[[bytes], object], bytes]:
    """What takes bytes, and a valid example of them. Imported here, so that it is instrumented."""
    make = {"manifest": _manifest, "safetensors": _safetensors, "onnx": _onnx}[kind]
    return make(scratch)


def _manifest(scratch: Path) -> tuple[Callable[[bytes], object], bytes]:
    from sttk.toolkit.artifact.manifest import FILE_NAME, Checkpoint, Manifest, Target  # noqa: PLC0415
    from sttk.toolkit.artifact.search import read_entry  # noqa: PLC0415
    from sttk.toolkit.core.contract import Contract  # noqa: PLC0415
    from sttk.toolkit.core.shapes import Shapes  # noqa: PLC0415
    from sttk.toolkit.opened.inspect import inspect  # noqa: PLC0415
    from sttk.toolkit.opened.verify import verify  # noqa: PLC0415

    checkpoint = Checkpoint("net.pth", "0" * 64, "sttk")
    target = Target("onnx", "fp32", Shapes.fixed(8, 8))
    Manifest("net", "m.onnx", {"m.onnx": "0" * 64}, checkpoint, Contract(), target).write(scratch)
    (scratch / "artifact").mkdir()

    def read(content: bytes) -> None:
        (scratch / "artifact" / FILE_NAME).write_bytes(content)
        verify(read_entry(scratch / "artifact"))
        inspect(scratch / "artifact")

    return read, (scratch / FILE_NAME).read_bytes()


def _safetensors(scratch: Path) -> tuple[Callable[[bytes], object], bytes]:
    """The header, with its length before it, of a file whose tensors are zeros."""
    from sttk.toolkit.checkpoints import load  # noqa: PLC0415
    from sttk.toolkit.io.json_text import loads  # noqa: PLC0415
    from tests.hostile.checkpoints import native_seed  # noqa: PLC0415

    whole = native_seed(scratch).files["net.safetensors"]
    (length,) = struct.unpack_from("<Q", whole)
    values, file = whole[8 + length :], scratch / "x.safetensors"

    def read(content: bytes) -> None:
        file.write_bytes(struct.pack("<Q", len(content)) + content + values)
        load(file)

    return read, json.dumps(loads(whole[8 : 8 + length])).encode()


def _onnx(scratch: Path) -> tuple[Callable[[bytes], object], bytes]:
    from sttk.toolkit.targets.onnx.describe import describe  # noqa: PLC0415
    from tests.hostile.onnx_files import small  # noqa: PLC0415

    file = scratch / "x.onnx"

    def read(content: bytes) -> None:
        file.write_bytes(content)
        describe(file)

    return read, small()


if __name__ == "__main__":
    sys.exit(main())
