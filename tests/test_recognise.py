"""Files under a checkpoint's name that are none: each is named, with what to do about it."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save as save_safetensors

from sttk.toolkit.checkpoints import load
from sttk.toolkit.core.errors import ArtifactError, CheckpointError
from sttk.toolkit.io.recognise import recognise
from sttk.toolkit.targets import open_model

# Words of Python's, torch's and of pickles' insides, of which no message should be made.
JARGON = ("Unsupported operand", "weights_only", "PytorchStreamReader", "Traceback", "<class", "b'")
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 6726529\n"
)


def saved(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def zipped(*names, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, b"content " * 99)
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("candy.pth"), io.BytesIO())
    return buffer.getvalue()


def picture(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, kind)
    return buffer.getvalue()


def scripted():
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch will give it up
        torch.jit.save(torch.jit.trace(torch.nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)), buffer)
    return buffer.getvalue()


def field(number, content):
    """A field of a protobuf message that is a text or a message."""
    return bytes([number << 3 | 2, len(content)]) + content


NODE = field(1, field(1, b"image") + field(2, b"Placeholder"))
OPERATIONS = field(1, field(2, field(1, field(1, b"Abs")) + field(1, field(1, b"NoOp"))))
MLMODEL = b"\x08\x01" + field(2, field(1, field(1, b"image") + field(3, b"\x2a\x04")))
TABLE = bytes(range(200)) + bytes.fromhex("57fb808b247547db")

FILES = {
    "lfs.pth": (lambda: POINTER, "Git LFS pointer", "git lfs pull"),
    "page.pth": (lambda: b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>", "web page", "signed in"),
    "denied.pth": (lambda: b'{"error":"Invalid username"}', "server's answer", "signed in"),
    "s3.pth": (lambda: b'<?xml version="1.0"?><Error><Code>AccessDenied', "server's", "download"),
    "empty.pth": (bytes, "an empty file", "again"),
    "hollow.pth": (lambda: bytes(9000), "only zeros", "again"),
    "cut.pth": (lambda: saved({"a": torch.zeros(999)})[:-300], "lacks its end", "again"),
    "cut-old.pth": (
        lambda: saved({"a": torch.zeros(9)}, _use_new_zipfile_serialization=False)[:150],
        "damaged",
        "again",
    ),
    "protocol.pth": (lambda: saved({"a": 1}, pickle_protocol=4), "pickle_protocol", "save it"),
    "module.pth": (lambda: saved(torch.nn.ReLU()), "refused: it holds more than", "state_dict()"),
    "traced.pt": (scripted, "TorchScript", "torch.jit.load(FILE).state_dict()"),
    "net.pt2": (
        lambda: zipped("net/archive_format", "net/models/model.json", "net/data/weights/0"),
        "torch.export",
        "torch.export.load(FILE).state_dict",
    ),
    "old.pt2": (lambda: zipped("serialized_exported_program.json"), "torch.export", "save"),
    "binary.t7": (lambda: b"\4\0\0\0\1\0\0\0\3\0\0\0V 1\x0d\0\0\0nn.Sequential", "Torch7", ""),
    "table.t7": (lambda: b"\3\0\0\0\1\0\0\0\2\0\0\0\2\0\0\0\5\0\0\0model", "Torch7", ""),
    "ascii.t7": (lambda: b"4\n1\n3\nV 1\n13\nnn.Sequential\n", "Torch7", ""),
    "model.ckpt.meta": (lambda: OPERATIONS, "TensorFlow graph", "tf2onnx"),
    "frozen.pb": (lambda: NODE, "TensorFlow graph", "tf2onnx"),
    "saved_model.pb": (lambda: b"\x08\x01" + field(2, OPERATIONS), "SavedModel", "tf2onnx"),
    "weights.h5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(99), "Keras", "tf2onnx"),
    "net.keras": (lambda: zipped("config.json", "model.weights.h5"), "Keras", "tf2onnx"),
    "net.mlmodel": (lambda: MLMODEL, "Core ML model", "made from"),
    "net.tflite": (lambda: b"\x1c\0\0\0TFL3" + bytes(40), "TFLite", "made from"),
    "net.caffemodel": (lambda: field(1, b"candy") + b"\xa2\x06\x20", "Caffe", "ONNX"),
    "a.npz": (lambda: zipped("w.npy"), "NumPy", "save"),
    "net.pkl": (lambda: pickle.dumps({"a": 1}, 4), "torch.save did not write", "state_dict()"),
    "candy.zip": (lambda: zipped("candy.pth", method=zipfile.ZIP_DEFLATED), "zip", "unpack"),
    "candy.tar": (tarred, "a tar archive", "unpack"),
    "candy.pth.gz": (lambda: gzip.compress(b"candy"), "a gzip archive", "unpack"),
    "photo.pth": (lambda: picture("JPEG"), "a JPEG picture", "photograph"),
    "photo.model": (lambda: picture("PNG"), "a PNG picture", "photograph"),
    "net.pth": (lambda: save_safetensors({"a": torch.zeros(1)}), "a safetensors", "rename"),
    "text.pth": (lambda: b"Not Found", "begins with the text Not Found", "sttk reads"),
    "noise.pth": (lambda: b"\xfe\xed" * 40, "begins with the bytes fe ed", "sttk reads"),
}  # fmt: skip


def refused(path):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert not [word for word in JARGON if word in text]
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", FILES)
def test_it_says_what_the_file_is_and_what_to_do(name, tmp_path):
    make, what, fix = FILES[name]
    (tmp_path / name).write_bytes(make())
    text = refused(tmp_path / name)
    assert what in text
    assert fix in text


@pytest.mark.parametrize("name", ["lfs.pth", "page.pth", "empty.pth", "photo.pth", "module.pth"])
@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_whatever_suffix_it_has(name, suffix, tmp_path):
    make, what, _ = FILES[name]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(make())
    assert (what if name != "module.pth" else "a file of torch.save") in refused(path)


def test_onnx_under_another_suffix(checkpoint, make, tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes((make("onnx", size=(64, 96)) / "model.onnx").read_bytes())
    assert "an ONNX file under another suffix (rename it" in refused(path)


def test_folders_by_what_is_in_them(make, tmp_path):
    for names, what in (
        (["saved_model.pb", "variables"], "SavedModel"),
        (["checkpoint", "model.ckpt.index", "model.ckpt.data-00000-of-00001"], "TensorFlow"),
        (["Manifest.json", "Data"], "Core ML package"),
        (["candy.pth", "notes.txt"], "a folder, which holds candy.pth (name one"),
    ):
        folder = tmp_path / what[:6]
        folder.mkdir()
        for name in names:
            (folder / name).write_text("")
        assert what in refused(folder)
    assert "an artifact of sttk" in refused(make("onnx", size=(64, 96)))


def test_a_model_to_be_judged_that_is_a_pointer(tmp_path):
    for suffix in (".onnx", ".tflite", ".param"):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(POINTER)
        with pytest.raises(ArtifactError, match="Git LFS pointer"):
            open_model(path)


def test_files_that_are_read_are_of_no_other_kind(checkpoint, make, tmp_path):
    (tmp_path / "new.pth").write_bytes(saved({"a": torch.zeros(1)}))
    old = saved({"a": torch.zeros(1)}, _use_new_zipfile_serialization=False)
    (tmp_path / "old.model").write_bytes(old)
    model = make("onnx", size=(64, 96)) / "model.onnx"
    for path in (tmp_path / "new.pth", tmp_path / "old.model", checkpoint, model):
        assert recognise(path) is None
    assert recognise(tmp_path / "none") is None


def test_inspect_does_not_call_it_a_model(sttk, tmp_path):
    (tmp_path / "x.pth").write_bytes(POINTER)
    result = sttk("inspect", tmp_path / "x.pth")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "git lfs pull" in result.stderr
    assert "nor is it" not in result.stderr


def test_names_in_a_file_do_not_reach_the_terminal(tmp_path):
    (tmp_path / "x.pth").write_bytes(b'{"error": "\x1b[31m"}')
    assert "\x1b" not in refused(tmp_path / "x.pth")
    (tmp_path / "x.pth").write_bytes(np.arange(16, 60, dtype=np.uint8).tobytes())
    refused(tmp_path / "x.pth")
