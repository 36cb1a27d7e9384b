"""The changes to a style net between its checkpoint and its exporter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sttk.exporters.base import Int8
from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.imaging.regimes import shipped_photos
from sttk.toolkit.precision.cast import CARRIERS, HALF_INT8, ON_DISK
from sttk.toolkit.quantize.calibrate import Calibration, Format, calibrate
from sttk.toolkit.quantize.fake import fake_quantized
from sttk.toolkit.rewrites import scale_fold
from sttk.toolkit.rewrites.rules import rewritten

if TYPE_CHECKING:
    from sttk.exporters.base import Exporter, ExportRequest


def carriers(target: Exporter[Any]) -> Mapping[Precision, torch.dtype]:
    """Return the type of the tensors in a block of each precision (``precision/cast.py``)."""
    if not target.halves_arithmetic:
        return ON_DISK
    return HALF_INT8 if target.half_int8 else CARRIERS


@dataclass(frozen=True)
class Prepared:
    """A request whose net is ready to export, with the facts for the manifest.

    Attributes:
        request: the request, with the changed net.
        rewrites: the names of the exact rewrites that were applied.
        calibration: the calibration by which the net was quantised, or None.
    """

    request: ExportRequest[Any]
    rewrites: tuple[str, ...] = ()
    calibration: Calibration | None = None


def prepare(request: ExportRequest[Any], target: Exporter[Any]) -> Prepared:
    """Rewrite and quantise the net as the request's precision and the target require.

    Args:
        request: the request, with the net as it was loaded.
        target: the exporter, which states its int8 quantisation and its rewrites.

    Raises:
        ExportError: a rewrite is not exact for this net.
        ImageError: a picture to calibrate on cannot be read.
    """
    able = target.int8 or Int8()
    net, folds = _folded(request, target)
    names = target.rewrites if request.rewrite else ()
    net, done = rewritten(net, names, request.precision)
    rewrites = (*folds, *done)
    if request.precision not in ("int8", "fp8"):
        return Prepared(replace(request, net=net), rewrites)
    pictures = request.calibration or tuple(shipped_photos())
    fitted = _calibration(net, pictures, request.precision, able.outputs)
    calibration = _kept(fitted, request.plan, able.lowest)
    quantized = _quantized(net, calibration, not able.zero_points, able.least_scale)
    return Prepared(replace(request, net=quantized), rewrites, calibration)


def _folded(request: ExportRequest[Any], target: Exporter[Any]) -> tuple[StyleNet, tuple[str, ...]]:
    """Scale-fold the net where an instance norm may be computed in float16.

    Float32 models hold every variance, so they stay as they are unless GPUs compute them in
    float16; then they are folded if the net can be. Neither is a net folded if the outputs of
    convolutions are rounded to int8: those runtimes' norms are in float32, and the reference would
    be rounded by the scales of the folded net rather than its own.
    """
    if request.precision == "int8" and target.int8 and target.int8.outputs:
        return request.net, ()
    if request.precision != "fp32":
        return _scale_folded(request.net)
    if not target.folds_float32:
        return request.net, ()
    try:
        return _scale_folded(request.net)
    except ExportError:  # float32 needs none
        return request.net, ()


# Cached by the net's identity: several targets and sizes need the same results.
@lru_cache(maxsize=4)
def _scale_folded(net: StyleNet) -> tuple[StyleNet, tuple[str, ...]]:
    folded, scaled = scale_fold.scale_fold(net)
    return folded, (scale_fold.NAME,) if scaled else ()


@lru_cache(maxsize=4)
def _calibration(net: StyleNet, files: tuple[Path, ...], to: Format, outputs: bool) -> Calibration:
    return calibrate(net, files, to, outputs)


@lru_cache(maxsize=4)
def _kept(calibration: Calibration, plan: Plan, lowest: int) -> Calibration:
    """Drop convolutions that the plan has in a higher precision, and narrow the rest's range."""
    inputs, outputs = (
        {
            name: affine.narrowed(lowest)
            for name, affine in affines.items()
            if plan.of(name) == calibration.format
        }
        for affines in (calibration.inputs, calibration.outputs)
    )
    return replace(calibration, inputs=inputs, outputs=outputs)


@lru_cache(maxsize=4)
def _quantized(
    net: StyleNet, calibration: Calibration, symmetric: bool, least_scale: float
) -> StyleNet:
    return fake_quantized(net, calibration, symmetric, least_scale)
