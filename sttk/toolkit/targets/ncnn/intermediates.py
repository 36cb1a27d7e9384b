"""ncnn intermediates: any blob of a graph can be extracted, and any can be given in its place."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sttk.toolkit.core.errors import RunError
from sttk.toolkit.imaging.images import Floats
from sttk.toolkit.runtimes.base import Settings
from sttk.toolkit.targets.intermediates import Intermediate, Values
from sttk.toolkit.targets.ncnn.runner import INPUT, MAGIC, OUTPUT, NcnnRunner, graph

_MODEL, _WEIGHTS = "part.param", "part.bin"
_RESULT = "part_result"  # the result's name in a saved part
# Layers that compute nothing: a copy for each reader would only be another name.
_NOT_COMPUTED = ("Input", "Split")

_SCRIPT = """
def run(folder, given):
    import ncnn

    net = ncnn.Net()
    options = net.opt
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
    options.use_bf16_storage = BF16
    net.load_param(str(folder / "part.param"))
    net.load_model(str(folder / "part.bin"))
    extractor = net.create_extractor()
    for name, values in given.items():
        values = values[0].copy()
        extractor.input(name, ncnn.Mat(values).clone())
    failed, result = extractor.extract("part_result")
    if failed:
        raise SystemExit(f"ncnn: error {failed}")
    return np.array(result)[None]
"""


@dataclass(frozen=True)
class _Layer:
    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class InstrumentedNcnn:
    """See :class:`InstrumentedModel`. Raises what :class:`NcnnRunner` raises.

    A tensor's name is its blob's.

    Args:
        path: the ``.param``, with its ``.bin`` beside it.
        settings: how it is run; by default in float32.
    """

    input, output = INPUT, OUTPUT

    def __init__(self, path: Path, settings: Settings | None = None) -> None:
        self._path, self.name = path, path.name
        self._runner = NcnnRunner(path, settings)
        self._layers = [_layer(words) for words in graph(path)]
        self.notes = self._runner.notes
        half = bool(settings and settings.inference_precision == "bf16")
        self.script = _SCRIPT.replace("BF16", repr(half))
        self.intermediates = tuple(
            Intermediate(blob, layer.name, layer.kind)
            for layer in self._layers
            if layer.kind not in _NOT_COMPUTED
            for blob in layer.outputs
        )

    def run(self, batch: Floats) -> Values:
        """See :class:`InstrumentedModel`."""
        names = [intermediate.tensor for intermediate in self.intermediates]
        found = [self._runner.extract({INPUT: picture}, names) for picture in batch]
        return {
            name: np.stack([values[name] for values in found])
            for name in names
            if found[0][name].ndim == 3
        }

    def part(self, tensor: str, known: Collection[str]) -> NcnnPart:
        """See :class:`InstrumentedModel`."""
        return NcnnPart(self._path, self._runner, self._layers, tensor, {*known, INPUT} - {tensor})


class NcnnPart:
    """See :class:`Subgraph`. It is the whole model, of which only this part is run."""

    def __init__(
        self,
        path: Path,
        runner: NcnnRunner,
        layers: list[_Layer],
        tensor: str,
        known: Collection[str],
    ) -> None:
        self._path, self._runner, self._tensor = path, runner, tensor
        self.inputs = tuple(_needed(layers, tensor, known))

    def run(self, given: Values) -> Floats:
        """See :class:`Subgraph`."""
        batches = [given[name] for name in self.inputs]
        return np.stack([self._picture(pictures) for pictures in zip(*batches, strict=True)])

    def _picture(self, pictures: tuple[Floats, ...]) -> Floats:
        found = self._runner.extract(dict(zip(self.inputs, pictures, strict=True)), [self._tensor])
        if found[self._tensor].ndim != 3:
            raise RunError(f"ncnn: {self._tensor} is not a picture")
        return found[self._tensor]

    def save(self, folder: Path) -> str:
        """See :class:`Subgraph`. Layers before the part stay: their weights are in the way."""
        layers = graph(self._path)
        blobs = sum(len(layer.outputs) for layer in map(_layer, layers))
        names = {self._tensor: _RESULT}
        lines = [" ".join(names.get(word, word) for word in words) for words in layers]
        text = "\n".join([MAGIC.decode(), f"{len(lines)} {blobs}", *lines, ""])
        (folder / _MODEL).write_text(text, encoding="ascii", errors="replace")
        shutil.copyfile(self._path.with_suffix(".bin"), folder / _WEIGHTS)
        return _MODEL


def _layer(words: list[str]) -> _Layer:
    """Parse a layer's line: kind, name, number of inputs, number of outputs, blobs, parameters."""
    kind, name, inputs = words[0], words[1], int(words[2])
    blobs = tuple(words[4 : 4 + inputs + int(words[3])])
    return _Layer(kind, name, blobs[:inputs], blobs[inputs:])


def _needed(layers: list[_Layer], tensor: str, known: Collection[str]) -> list[str]:
    """Return the nearest known blobs that ``tensor`` is computed from."""
    needed, found = {tensor}, []
    for layer in reversed(layers):
        if needed.intersection(layer.outputs):
            found += [blob for blob in layer.inputs if blob in known and blob not in found]
            needed.update(blob for blob in layer.inputs if blob not in known)
    return found
