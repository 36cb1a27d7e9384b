"""ncnn on the CPU, or on a GPU through Vulkan."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sttk.toolkit.core.errors import ArtifactError, NotRunError, RunError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.io.files import read_bounded
from sttk.toolkit.io.streams import quiet_stderr
from sttk.toolkit.runtimes.base import Choices, Closing, Settings
from sttk.toolkit.targets.ncnn.masks import NO_GPU, mask_of
from sttk.toolkit.targets.ncnn.vulkan import default_gpu

if TYPE_CHECKING:
    import ncnn
else:
    ncnn = Lazy("ncnn", "ncnn")

INPUT, OUTPUT = "in0", "out0"  # pnnx's names
_NOTES = {
    "f16": "computed in float16, which is ncnn's own choice here",
    "bf16": "tensors were kept in bf16",
}
MAGIC = b"7767517"
# The limits of the graph and of the weights' file. Ours take 10 kB and 0.2 to 7 MB.
_MOST_BYTES, MOST_WEIGHTS = 1 << 20, 1 << 28
_LAYER = re.compile(r"[A-Za-z_]\w* +\S+ +\d+ +\d+( +\S+)*")
# ncnn does not check the numbers in a graph, and allocates memory by them.
_LARGEST = 1 << 24


class NcnnRunner(Closing):
    """A runner of a ``.param`` and the ``.bin`` next to it, with input ``in0`` and output ``out0``.

    A model has no batch axis: pictures run one after the other. Without settings, the arithmetic is
    ncnn's own choice, as in an app that sets no option: float16 on a device that computes in it,
    else float32. With bf16, tensors are kept in that between layers.

    Args:
        model: the ``.param``.
        settings: f32, or bf16 (on a CPU), or f16, which is ncnn's own choice where it is float16.
        vulkan: compute on the default GPU.

    Attributes:
        machine, features: the GPU and what it computes in, as in :class:`Featured`; absent on a
            CPU.
        half: whether tensors or sums are in float16, except where the model says otherwise.

    Raises:
        MissingExtraError: ncnn is not installed.
        ArtifactError: ncnn cannot load the model, or it is not a style net.
        NotRunError: this device does not support the requested arithmetic, or there is no GPU.
    """

    name = "ncnn"
    choices = Choices(("bf16",), threads=True)

    def __init__(
        self, model: Path, settings: Settings | None = None, *, vulkan: bool = False
    ) -> None:
        gpu = default_gpu() if vulkan else None
        able = (gpu.fp16_storage or gpu.fp16_arithmetic) if gpu else _cpu_computes_in_half()
        own = "f16" if able else "f32"
        precision = (settings and settings.inference_precision) or own
        offered = ("f32", *(("f16",) if able else ()), *(() if gpu else ("bf16",)))
        if precision not in offered:
            raise NotRunError(
                f"not run: ncnn on this {'GPU' if gpu else 'CPU'} has no {precision}",
                fix=f"{' and '.join(offered)} are what it has",
            )
        self.half = precision == "f16"
        self.choices = Choices(tuple(each for each in offered if each != own), threads=not gpu)
        self.notes: tuple[str, ...] = (str(gpu),) if gpu else ()
        if gpu:
            self.machine, self.features = gpu.name, gpu.features
        if precision != "f32":
            self.notes += (_NOTES[precision],)
        layers = graph(model)
        self.takes = _takes(model, layers)
        if vulkan:
            _check_for_gpu(layers)
        self._net = _net(precision, settings.threads if settings else None, vulkan=vulkan)
        _load(self._net, model)

    def run(self, batch: Floats) -> Floats:
        """See :class:`Runner`."""
        if not self.takes.takes((batch.shape[2], batch.shape[3])):
            raise RunError(f"ncnn: the model takes {self.takes}, not {batch.shape[2:]}")
        return np.stack([self._picture(picture) for picture in batch])

    def _picture(self, picture: Floats) -> Floats:
        return self.extract({INPUT: picture}, [OUTPUT])[OUTPUT]

    def extract(self, given: Mapping[str, Floats], wanted: Collection[str]) -> dict[str, Floats]:
        """Return some blobs' values, computed from others, by name; (C, H, W) if it is a picture.

        Layers whose results are not needed do not run. Raises RunError.
        """
        extractor = self._net.create_extractor()
        extractor.set_light_mode(len(wanted) == 1)  # else no blob is freed or overwritten
        for name, values in given.items():
            extractor.input(name, _mat(values))
        return {name: _extracted(extractor, name) for name in wanted}


def _mat(values: Floats) -> ncnn.Mat:
    """Return a copy in ncnn's own memory.

    A first layer that works in place would crash on memory that ncnn does not count references to.
    """
    held = np.ascontiguousarray(values, dtype=np.float32)  # a Mat alone does not keep it alive
    return ncnn.Mat(held).clone()


def _extracted(extractor: ncnn.Extractor, name: str) -> Floats:
    failed, values = extractor.extract(name)
    if failed:
        raise RunError(f"ncnn: no {name}: error {failed}")
    return np.array(values, dtype=np.float32)  # a copy: the next run reuses the memory


def _check_for_gpu(layers: list[list[str]]) -> None:
    """Refuse a model that would run on the CPU alone, whatever ncnn is told."""
    if all(mask_of(line) & NO_GPU for line in layers if line[0] != "Input"):
        raise NotRunError(
            "not run: every layer of this model says that it runs on the CPU",
            fix="export with --precision fp16 for a GPU",
        )


def _cpu_computes_in_half() -> bool:
    """Whether ncnn's defaults mean float16 on this CPU: on ARM alone, from ARMv8.2 on."""
    return bool(ncnn.cpu_support_arm_asimdhp())


def _net(precision: str, threads: int | None, *, vulkan: bool) -> ncnn.Net:
    net = ncnn.Net()
    options = net.opt
    if precision != "f16":
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
    options.use_bf16_storage = precision == "bf16"
    options.use_vulkan_compute = vulkan
    options.num_threads = threads or os.cpu_count() or 1
    return net


def _load(net: ncnn.Net, model: Path) -> None:
    weights = model.with_suffix(".bin")
    if not weights.is_file() or weights.stat().st_size > MOST_WEIGHTS:
        raise _not_loaded(model, f"no weights beside it, {weights.name}")
    try:
        str(model).encode()
    except UnicodeEncodeError as error:
        raise _not_loaded(model, "it takes paths in UTF-8 alone") from error
    with quiet_stderr():
        if net.load_param(str(model)) or net.load_model(str(weights)):
            raise _not_loaded(model, "ncnn refuses it")


def graph(model: Path) -> list[list[str]]:
    """Return the words of each layer's line: kind, name, counts, blobs, parameters.

    The input's line is the first.

    Raises:
        ArtifactError: it is not an ncnn graph.
    """
    try:
        text = read_bounded(model, _MOST_BYTES)
    except (OSError, ValueError) as error:
        raise _not_loaded(model, str(error)) from error
    magic, _, *lines = (text.strip() + b"\n\n").decode("ascii", "replace").splitlines()
    layers = [line.strip() for line in lines if line.strip()]
    if magic.encode() != MAGIC or not all(_LAYER.fullmatch(line) for line in layers):
        raise _not_loaded(model, "not a .param of ncnn's")
    words = [line.split() for line in layers]
    if any(_absurd(word) for line in words for word in line[2:]):
        raise _not_loaded(model, "a number in it is absurd")
    return words


def _absurd(word: str) -> bool:
    """Whether a count or a parameter such as ``6=20736`` is too large for any style net."""
    digits = word.rpartition("=")[2].lstrip("-")
    return digits.isdigit() and (len(digits) > 8 or int(digits) > _LARGEST)


def _not_loaded(model: Path, reason: str) -> ArtifactError:
    return ArtifactError(f"{model}: ncnn cannot load it: {reason}")


def _takes(model: Path, layers: list[list[str]]) -> Shapes:
    """Read the shapes from the input's line, ``Input in0 0 1 in0 0=W 1=H 2=3``.

    Without these numbers, the model takes any size.
    """
    inputs = [line for line in layers if line[0] == "Input"]
    blobs = {word for line in layers for word in line[4:] if "=" not in word}
    if len(inputs) != 1 or not {INPUT, OUTPUT} <= blobs:
        raise ArtifactError(f"{model}: not a style net with one input {INPUT} and output {OUTPUT}")
    sides = dict(word.split("=") for word in inputs[0][5:] if "=" in word)
    try:
        size = (int(sides["1"]), int(sides["0"])) if sides else None
        return Shapes.fixed(*size, batch=None) if size else Shapes.any()
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"{model}: not a style net's input: {sides}") from error


def describe(model: Path) -> dict[str, Any]:
    """Return a model's input, output and layers, for ``sttk inspect``."""
    layers = graph(model)
    weights = model.with_suffix(".bin")
    return {
        "format": "ncnn",
        "input": f"{INPUT} {_takes(model, layers)}",
        "output": OUTPUT,
        "weight bytes": weights.stat().st_size if weights.is_file() else 0,
        "layers": dict(sorted(Counter(line[0] for line in layers).items())),
    }
