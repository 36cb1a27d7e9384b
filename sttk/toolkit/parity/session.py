"""Models judged one after the other; one that cannot be does not keep the others from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from sttk.toolkit.artifact.manifest import parse_manifest
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import ArtifactError, SttkError, UsageError
from sttk.toolkit.io.text import file_name
from sttk.toolkit.parity.bisect.worst import bisect_artifact, bisect_model
from sttk.toolkit.parity.outcome import Judged, Outcome, Unjudged
from sttk.toolkit.parity.pictures import Gallery, HeatMaps
from sttk.toolkit.parity.run import Ask, Judge
from sttk.toolkit.parity.witness import Witness
from sttk.toolkit.targets import FILE_RUNTIMES

_TARGETS = {
    ".onnx": "onnx",
    ".xml": "openvino",
    ".engine": "trt",
    ".mlpackage": "coreml",
    ".aimodel": "coreai",
    ".param": "ncnn",
    ".tflite": "litert",
    ".pte": "executorch",
    ".html": "web",
}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is wanted of each model beside its verdict.

    Attributes:
        precision: that bare model files are said to have, or None.
        bisect: find the block at which it goes wrong.
        reproductions: folder for what reproduces that, or None.
        pictures: keep small pictures of every input.
        heatmaps: folder for a heat map of each input that fails, or None.
    """

    precision: Precision | None = None
    bisect: bool = False
    reproductions: Path | None = None
    pictures: bool = False
    heatmaps: Path | None = None


class Session:
    """Judges models by one :class:`Ask`."""

    def __init__(self, ask: Ask, wanted: Wanted) -> None:
        self._ask, self._wanted = ask, wanted
        self._judge = Judge(ask)

    def outcomes(self, model: Path, name: str) -> Iterator[Outcome]:
        """The model's, under ``name``; and another if it could not be bisected as was asked."""
        try:
            judged = self._judged(model, name)
        except SttkError as error:
            yield Unjudged(name, error, target_of(model))
            return
        if not self._wanted.bisect:
            yield judged
            return
        try:
            yield self._bisected(judged, model)
        except SttkError as error:
            yield judged
            yield Unjudged(f"{name}, bisected", error)

    def _judged(self, model: Path, name: str) -> Judged:
        gallery, precision = Gallery(), self._wanted.precision
        witnesses: list[Witness] = [gallery] if self._wanted.pictures else []
        if self._wanted.heatmaps:
            witnesses.append(HeatMaps(self._wanted.heatmaps / file_name(name)))
        if is_model(model):
            report = self._judge.model(model, precision or "fp32", *witnesses)
        elif precision:
            raise UsageError(f"{model}: its manifest says its precision", fix="pass --promise")
        else:
            report = self._judge.artifact(model, *witnesses)
        report = dataclasses.replace(report, candidate=name)
        return Judged(report, target_of(model), tuple(gallery.exhibits))

    def _bisected(self, judged: Judged, model: Path) -> Judged:
        report, to = judged.report, self._wanted.reproductions
        if is_model(model):
            precision = self._wanted.precision or "fp32"
            found = bisect_model(model, precision, self._ask, report, to)
        else:
            found = bisect_artifact(model, self._ask, report, to)
        return dataclasses.replace(judged, bisection=found)


def is_model(path: Path) -> bool:
    """A model file, or a package such as ``model.mlpackage``, which is a folder."""
    return path.is_file() or path.suffix in FILE_RUNTIMES


def target_of(model: Path) -> str:
    """Of an artifact or a model file, such as ``onnx``; "" where nothing says."""
    if is_model(model):
        return _TARGETS.get(model.suffix, "")
    try:
        return parse_manifest(model).target.name
    except ArtifactError:
        return ""
