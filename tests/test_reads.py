"""Files that anybody may have written are read by the bounded readers alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import sttk
from sttk.toolkit.io.files import read_bounded, read_stream
from sttk.toolkit.io.json_text import MOST_DEPTH, read_json

ROOT = Path(sttk.__file__).parent
# Where a raw read is right: file and function, and why.
ALLOWED = {
    # The readers themselves, and what never holds a whole file.
    ("toolkit/io/files.py", "read_bounded"): "the bounded reader",
    ("toolkit/io/files.py", "sha256"): "a megabyte at a time",
    ("toolkit/io/files.py", "finish_temporary"): "opened to be flushed",
    ("toolkit/web/server.py", "_send"): "a quarter of a megabyte at a time",
    ("toolkit/targets/openvino/runner.py", "_is_xml"): "the first 512 bytes",
    ("toolkit/io/recognise.py", "_look"): "the first 64 kB",
    ("toolkit/checkpoints/onnx_graph/external.py", "_read"): "a part whose length is checked",
    # Libraries with bounds of their own.
    ("toolkit/imaging/images.py", "read_image"): "pillow reads on once the picture's size is known",
    ("toolkit/imaging/images.py", "picture_size"): "pillow reads the header alone",
    ("toolkit/losses/vgg_weights.py", "_read"): "numpy reads the archive, without pickles",
    # The system's own files.
    ("toolkit/host/machine.py", "cpu"): "/proc/cpuinfo",
    ("toolkit/host/memory.py", "peak"): "/proc/self/status",
    ("toolkit/checkpoints/jcjohnson.py", "is_file"): "the first eight bytes",
    ("toolkit/checkpoints/lengstrom_ckpt.py", "is_file"): "the last eight bytes",
    # What the package ships.
    ("toolkit/evaluation/style_record.py", "record"): "a shipped style's page",
    ("toolkit/video/page.py", "do_GET"): "a shipped template",
    ("exporters/web/export.py", "_copy_page"): "the shipped page",
    ("exporters/web/export.py", "_copy_runtime"): "a shipped licence",
    ("exporters/web/part.py", "_small_picture"): "a shipped photograph",
    # What sttk has just written, in a folder of its own.
    ("exporters/web/export.py", "_finish"): "the page that this export makes",
    ("exporters/ncnn/export.py", "_convert"): "what pnnx wrote into a temporary folder",
    ("toolkit/web/chromium.py", "_reason"): "the log in a temporary profile",
    # What the user asks to be added to: all of it is written again.
    ("toolkit/io/outputs.py", "write_output"): "an output that is appended to",
}


def raw_reads(tree: ast.AST, function: str = "") -> list[str]:
    """The function around each raw read, innermost; "" for one at the top of the module."""
    found = []
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(node, ast.Call) and is_raw_read(node):
            found.append(inside)
        found += raw_reads(node, inside)
    return found


def is_raw_read(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        if call.func.attr in ("read_bytes", "read_text"):
            return True
        # Path.open has the mode first; os.open, Image.open and others have something else there.
        return call.func.attr == "open" and mode_reads(call, 0, without_mode=not call.args)
    named = isinstance(call.func, ast.Name) and call.func.id == "open"
    return named and mode_reads(call, 1, without_mode=True)


def mode_reads(call: ast.Call, place: int, *, without_mode: bool) -> bool:
    """Whether the mode of an ``open`` is one that reads."""
    modes = [word.value for word in call.keywords if word.arg == "mode"] or call.args[place:][:1]
    if not modes:
        return without_mode
    mode = modes[0].value if isinstance(modes[0], ast.Constant) else None
    is_mode = isinstance(mode, str) and 0 < len(mode) <= 3 and set(mode) <= set("rwaxbt+")
    return is_mode and ("r" in mode or "+" in mode)


@pytest.mark.parametrize(
    ("code", "raw"),
    [
        ("path.read_bytes()", True),
        ("(folder / 'x').read_text('utf-8')", True),
        ("path.open('rb')", True),
        ("path.open(mode='r+b')", True),
        ("path.open()", True),
        ("path.open(encoding='utf-8')", True),
        ("open(path)", True),
        ("open(path, 'rb')", True),
        ("path.open('wb')", False),
        ("open(path, mode='w')", False),
        ("Image.open(stream)", False),
        ("Image.open('photo.jpg')", False),
        ("os.open(os.devnull, os.O_WRONLY)", False),
        ("read_bounded(path, 5)", False),
    ],
)
def test_what_counts_as_a_raw_read(code, raw):
    assert raw_reads(ast.parse(f"def f():\n    {code}")) == ["f"] * raw


def test_raw_reads_are_those_that_are_allowed():
    found = {
        (path.relative_to(ROOT).as_posix(), function)
        for path in ROOT.rglob("*.py")
        for function in raw_reads(ast.parse(path.read_bytes()))
    }
    assert found - ALLOWED.keys() == set(), "read them with sttk.toolkit.io.files.read_bounded"
    assert ALLOWED.keys() - found == set(), "no longer there: take them off the list"


@pytest.mark.parametrize("folder", ["tests", "scripts", "samples"])
def test_no_program_imports_the_folders_at_the_top(folder):
    """In texts of programs, too, which ruff does not see (and it lets tests parse JSON)."""
    words = [f"{how} {top}" for how in ("from", "import") for top in ("toolkit", "exporters")]
    for path in (Path(__file__).parents[1] / folder).rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        bad = [line for line in lines if line.strip().startswith(tuple(words))]
        assert not bad, path


def test_a_file_of_at_most_so_many_bytes(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    with pytest.raises(ValueError, match="5 bytes are more than 4"):
        read_bounded(file, 4)
    with pytest.raises(ValueError, match="no regular file"):
        read_bounded(tmp_path, 5)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 5)


def test_a_file_that_holds_more_than_its_size():
    """Linux says that files of /proc are empty, regular ones."""
    file = Path("/proc/self/status")
    if not file.is_file():
        pytest.skip("no /proc")
    with pytest.raises(ValueError, match="more than the 0 bytes"):
        read_bounded(file, 5)


def test_a_stream_of_at_most_so_many_bytes(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(bytes(3 << 20))
    with file.open("rb") as stream:
        assert read_stream(stream, 3 << 20) == bytes(3 << 20)
    with file.open("rb") as stream:
        with pytest.raises(ValueError, match=f"more than {1 << 20} bytes"):
            read_stream(stream, 1 << 20)
        assert stream.tell() < 3 << 20


def test_json_of_so_many_bytes_and_so_deep(tmp_path):
    file = tmp_path / "x.json"
    file.write_text('{"a": [1]}')
    assert read_json(file, 10) == {"a": [1]}
    with pytest.raises(ValueError, match="10 bytes are more than 9"):
        read_json(file, 9)
    file.write_text("[" * 1000 + "]" * 1000)
    with pytest.raises(ValueError, match=f"deeper than {MOST_DEPTH}"):
        read_json(file, 2000)
