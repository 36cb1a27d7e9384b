"""The lengstrom layout: TensorFlow's padding against numpy, and folders that cannot be trusted."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from sttk.toolkit.checkpoints import lengstrom, load
from sttk.toolkit.checkpoints.layout import Loaded
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.nets.lengstrom import LengstromNet, LengstromSpec, SameDownConv, SameUpConv

Array = npt.NDArray[np.float64]
WIDTHS, UPS, BLOCKS = (4, 5, 6), (3, 2), 2


def small_state() -> dict[str, Tensor]:
    """Random tensors under the names, in the order and the shapes that TensorFlow has."""
    generator = torch.Generator().manual_seed(0)
    full, half, quarter = WIDTHS
    convs = [(9, 9, 3, full), (3, 3, full, half), (3, 3, half, quarter)]
    convs += [(3, 3, quarter, quarter)] * (2 * BLOCKS)
    # Of a transposed convolution the outputs come first.
    ups = [(3, 3, UPS[0], quarter), (3, 3, UPS[1], UPS[0])]
    layers = [(shape, shape[3]) for shape in convs] + [(shape, shape[2]) for shape in ups]
    layers.append(((9, 9, UPS[1], 3), 3))
    shapes = [shape for conv, out in layers for shape in (conv, (out,), (out,))]
    return {
        f"Variable_{i}" if i else "Variable": torch.randn(shape, generator=generator) * 0.3
        for i, shape in enumerate(shapes)
    }


def same_conv(x: Array, weight: Array, stride: int) -> Array:
    """TensorFlow's conv2d with padding SAME, by its formula: (H, W, C) -> (ceil(H/s), ..., D)."""
    kernel = weight.shape[0]
    sizes = [-(-size // stride) for size in x.shape[:2]]
    totals = [
        max((out - 1) * stride + kernel - size, 0)
        for out, size in zip(sizes, x.shape, strict=False)
    ]
    padded = np.pad(x, [(total // 2, total - total // 2) for total in totals] + [(0, 0)])
    out = np.zeros((*sizes, weight.shape[3]))
    for i, j in np.ndindex(*sizes):
        window = padded[i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        out[i, j] = np.tensordot(window, weight, axes=3)
    return out


def same_conv_transpose(x: Array, weight: Array) -> Array:
    """Its gradient: what conv2d of stride 2 would carry back to an input of twice the size."""
    height, width = (2 * size for size in x.shape[:2])
    out = np.zeros((height, width, weight.shape[2]))
    probe = np.zeros((height, width, 1))
    for i, j in np.ndindex(height, width):
        probe[i, j] = 1  # where input pixel i, j goes to under the convolution
        reach = same_conv(probe, np.arange(1.0, 10.0).reshape(3, 3, 1, 1), 2)[..., 0]
        probe[i, j] = 0
        for row, col in np.argwhere(reach):
            tap = int(reach[row, col]) - 1
            out[i, j] += weight[tap // 3, tap % 3] @ x[row, col]
    return out


def author_net(state: dict[str, Tensor], image: Array) -> Array:
    """The author's function in numpy: (H, W, 3) in 0..255 -> (H', W', 3)."""
    tensors = iter([value.double().numpy() for value in state.values()])

    def layer(y: Array, stride: int = 1, *, up: bool = False, relu: bool = True) -> Array:
        weight, shift, scale = next(tensors), next(tensors), next(tensors)
        y = same_conv_transpose(y, weight) if up else same_conv(y, weight, stride)
        y = (y - y.mean((0, 1))) / np.sqrt(y.var((0, 1)) + 1e-3) * scale + shift
        return np.maximum(y, 0) if relu else y

    x = layer(layer(layer(image), 2), 2)
    for _ in range(BLOCKS):
        x = x + layer(layer(x), relu=False)
    x = layer(layer(x, up=True), up=True)
    out: Array = np.tanh(layer(x, relu=False)) * 150 + 255.0 / 2
    return out


def picture(height: int, width: int) -> Tensor:
    """(1, 3, H, W), noise in 0..255."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1)) * 255


def in_numpy(x: Tensor) -> Array:
    """(1, C, H, W) -> (H, W, C)."""
    array: Array = x[0].permute(1, 2, 0).double().numpy()
    return array


@pytest.fixture
def loaded() -> Loaded:
    return lengstrom.build(small_state())


def test_knows_its_own() -> None:
    assert lengstrom.matches(small_state())


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"conv1.conv2d.weight": torch.zeros(4, 3, 9, 9)},
        {"Variable": torch.zeros(9, 9, 3, 4)},
        small_state() | {"Variable/Adam": torch.zeros(9, 9, 3, 4)},
        small_state() | {"Variable": torch.zeros(())},
        small_state() | {"Variable": torch.zeros(9, 9, 1, 4)},
        {f"Variable_{i}": torch.zeros(9, 9, 3, 3) for i in range(1, 31)},
    ],
)
def test_refuses_others(state: dict[str, Tensor]) -> None:
    assert not lengstrom.matches(state)


def test_sizes_are_read_from_the_shapes(loaded: Loaded) -> None:
    assert isinstance(loaded.net, LengstromNet)
    assert loaded.net.spec == LengstromSpec(WIDTHS, UPS, BLOCKS)


@torch.no_grad()
@pytest.mark.parametrize("size", [(6, 8), (7, 9), (5, 8)])
def test_pads_down_as_tensorflow(size: tuple[int, int]) -> None:
    layer = SameDownConv(3, 5).double()
    x = picture(*size).double() / 255
    layer.norm = torch.nn.Identity()  # type: ignore[assignment]
    weight = layer.conv.weight.permute(2, 3, 1, 0).double().numpy()
    np.testing.assert_allclose(in_numpy(layer(x)), same_conv(in_numpy(x), weight, 2), atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("size", [(3, 4), (2, 5)])
def test_pads_up_as_tensorflow(size: tuple[int, int]) -> None:
    layer = SameUpConv(3, 5).double()
    x = picture(*size).double() / 255
    layer.norm = torch.nn.Identity()  # type: ignore[assignment]
    weight = layer.conv.weight.permute(2, 3, 1, 0).double().numpy()
    wanted = same_conv_transpose(in_numpy(x), weight)
    np.testing.assert_allclose(in_numpy(layer(x)), wanted, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 12), (7, 10), (9, 5)])
def test_is_the_authors_function(loaded: Loaded, size: tuple[int, int]) -> None:
    # In float64, as the author's function here: what is left is no processor's.
    x = picture(*size).double()
    wanted = author_net(small_state(), in_numpy(x))
    np.testing.assert_allclose(in_numpy(loaded.net.double()(x)), wanted, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("size", [(5, 5), (5, 9), (17, 6), (8, 12), (23, 31)])
def test_sizes_are_the_contracts(loaded: Loaded, size: tuple[int, int]) -> None:
    assert tuple(loaded.net(picture(*size)).shape[-2:]) == loaded.contract.output_size(*size)


@torch.no_grad()
def test_smaller_than_the_smallest_side_fails(loaded: Loaded) -> None:
    side = loaded.contract.smallest_side - 1
    with pytest.raises(ValueError, match="spatial"):
        loaded.net(picture(side, side))


@torch.no_grad()
@pytest.mark.parametrize("size", [(24, 36), (23, 37), (5, 6)])
def test_exports_with_free_height_and_width(loaded: Loaded, size: tuple[int, int]) -> None:
    side = loaded.contract.smallest_side
    free = {2: torch.export.Dim("height", min=side), 3: torch.export.Dim("width", min=side)}
    net = loaded.net.double().requires_grad_(False).eval()
    example = (picture(16, 20).double(),)
    exported = torch.export.export(net, example, dynamic_shapes=(free,)).module()
    x = picture(*size).double()
    torch.testing.assert_close(exported(x), net(x), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(
    "broken",
    [
        {"Variable_3": torch.zeros(())},
        {"Variable_3": torch.zeros(3, 3, 9, 5)},
        {"Variable_4": torch.zeros(())},
        {"Variable_4": torch.zeros(0)},
        # One convolution more: half a block.
        {f"Variable_{i}": torch.zeros(9, 9, 3, 3) for i in (30, 31, 32)},
        # A net of these widths would take terabytes; the tensors do not have them.
        {"Variable_7": torch.zeros(500_000)},
    ],
)
def test_broken_tensors_are_an_error(broken: dict[str, Tensor]) -> None:
    with pytest.raises((RuntimeError, KeyError, ValueError)):
        lengstrom.build(small_state() | broken)


# Folders.


def write_folder(path: pathlib.Path, state: dict[str, Tensor]) -> pathlib.Path:
    """``path`` as the deeplearn.js port would have it."""
    path.mkdir()
    manifest = {}
    for name, value in state.items():
        (path / name).write_bytes(value.numpy().astype("<f4").tobytes())
        manifest[name] = {"filename": name, "shape": list(value.shape)}
    write_manifest(path, manifest)
    return path


def write_manifest(path: pathlib.Path, content: object) -> None:
    (path / "manifest.json").write_text(json.dumps(content))


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with one good file of three values, and a secret beside the folder."""
    (tmp_path / "secret").write_bytes(bytes(12))
    return write_folder(tmp_path / "net", {"Variable": torch.tensor([1.0, -2.0, 0.5])})


def refuses(path: pathlib.Path, match: str) -> None:
    """It is refused, in one line."""
    with pytest.raises(CheckpointError, match=match) as caught:
        lengstrom.read_folder(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_reads_what_was_written(tmp_path: pathlib.Path) -> None:
    state = small_state()
    read = lengstrom.read_folder(write_folder(tmp_path / "net", state))
    assert list(read) == list(state)
    for name, value in read.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[name])


def test_load_reads_a_folder(tmp_path: pathlib.Path) -> None:
    assert load(write_folder(tmp_path / "net", small_state())).origin.layout == lengstrom.NAME


def test_a_link_that_stays_inside_is_read(folder: pathlib.Path) -> None:
    (folder / "Variable").rename(folder / "values")
    (folder / "Variable").symlink_to("values")
    assert lengstrom.read_folder(folder)["Variable"].tolist() == [1.0, -2.0, 0.5]


def test_no_folder_or_no_manifest(folder: pathlib.Path) -> None:
    refuses(folder / "nowhere", "manifest.json")
    (folder / "manifest.json").unlink()
    refuses(folder, "manifest.json")
    (folder / "manifest.json").mkdir()
    refuses(folder, "manifest.json")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe\x00", b"[" * 200_000, b"[" + b"9" * 10_000 + b"]"]
)
def test_a_manifest_that_is_not_json(folder: pathlib.Path, raw: bytes) -> None:
    (folder / "manifest.json").write_bytes(raw)
    refuses(folder, "not JSON")


def test_a_manifest_too_large_to_be_one(folder: pathlib.Path) -> None:
    (folder / "manifest.json").write_bytes(b" " * (2 << 20))
    refuses(folder, "larger than")


@pytest.mark.parametrize("content", [[], {}, "Variable", 3, None, [{"filename": "Variable"}]])
def test_a_manifest_that_is_not_a_map(folder: pathlib.Path, content: object) -> None:
    write_manifest(folder, content)
    refuses(folder, "not a map")


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        (None, "no filename"),
        ([3], "no filename"),
        ({"shape": [3]}, "no filename"),
        ({"filename": 3, "shape": [3]}, "no filename"),
        ({"filename": "Variable"}, "no shape"),
        ({"filename": "Variable", "shape": 3}, "no shape"),
        ({"filename": "Variable", "shape": "3"}, "no shape"),
        ({"filename": "Variable", "shape": [3.0]}, "no shape"),
        ({"filename": "Variable", "shape": [True, 3]}, "no shape"),
        ({"filename": "Variable", "shape": [[3]]}, "no shape"),
        ({"filename": "Variable", "shape": []}, "1 to 4 sizes"),
        ({"filename": "Variable", "shape": [1, 1, 1, 1, 3]}, "1 to 4 sizes"),
        ({"filename": "Variable", "shape": [0]}, "1 to 4 sizes"),
        ({"filename": "Variable", "shape": [-1, -3]}, "1 to 4 sizes"),
        ({"filename": "Variable", "shape": [-1] * 10_000}, "1 to 4 sizes"),
        ({"filename": "Variable", "shape": [2]}, "8 bytes"),
        ({"filename": "Variable", "shape": [4]}, "16 bytes"),
        ({"filename": "Variable", "shape": [1 << 62]}, "bytes"),
        ({"filename": "Variable", "shape": [1 << 40, 1 << 40, 1 << 40, 1 << 40]}, "bytes"),
    ],
)
def test_entries_that_are_not_of_this_kind(folder: pathlib.Path, entry: Any, match: str) -> None:
    write_manifest(folder, {"Variable": entry})
    refuses(folder, match)


@pytest.mark.parametrize("name", ["../secret", "sub/../../secret", "/etc/hostname", "link", "up/s"])
def test_files_outside_the_folder(folder: pathlib.Path, name: str) -> None:
    (folder / "sub").mkdir()
    (folder / "link").symlink_to("../secret")
    (folder / "up").symlink_to("..")
    (folder.parent / "s").write_bytes(bytes(12))
    write_manifest(folder, {"Variable": {"filename": name, "shape": [3]}})
    refuses(folder, "outside the folder")


def test_a_manifest_outside_the_folder(folder: pathlib.Path) -> None:
    (folder / "manifest.json").rename(folder.parent / "manifest.json")
    (folder / "manifest.json").symlink_to("../manifest.json")
    refuses(folder, "outside the folder")


@pytest.mark.parametrize(
    "name", ["", ".", "missing", "pipe", "loop", "a\nb", "\0", "\ud800", "x" * 9999]
)
def test_names_that_are_no_file(folder: pathlib.Path, name: str) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    write_manifest(folder, {"Variable": {"filename": name, "shape": [3]}})
    refuses(folder, "file")


def test_one_file_under_two_names(folder: pathlib.Path) -> None:
    (folder / "again").symlink_to("Variable")
    entries = {name: {"filename": name, "shape": [3]} for name in ("Variable", "again")}
    write_manifest(folder, entries)
    refuses(folder, "twice")


# The published nets.


def test_the_published_rain_princess_is_in_rgb(shared: pathlib.Path, photograph: Tensor) -> None:
    net = load(shared / "checkpoints/lengstrom/rain_princess")
    assert net.origin.layout == lengstrom.NAME
    y = net(photograph)
    red, green, blue = y.mean(dim=(0, 2, 3)).tolist()
    # Orange lamps and leaves over blue shade.
    assert 130 > red > green > blue > 60
    assert ((y <= 0) | (y >= 255)).float().mean() < 0.1


def test_the_published_wave_has_ink_and_paper(shared: pathlib.Path, photograph: Tensor) -> None:
    y = load(shared / "checkpoints/lengstrom/wave")(photograph)[0]
    light = y.mean(dim=0)
    ink, paper = (y[:, light <= light.quantile(0.1)], y[:, light >= light.quantile(0.9)])
    # Hokusai's darks are blue, his paper is yellowish.
    assert ink[2].mean() > ink[0].mean() + 20
    assert paper[0].mean() > paper[2].mean()
