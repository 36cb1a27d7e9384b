"""Compression of weights after the conversion, without data: linear, or with palettes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sttk.exporters.coreml.convert import operations
from sttk.toolkit.core.errors import ExportError
from sttk.toolkit.host.optional import Lazy
from sttk.toolkit.io.streams import quiet_library

if TYPE_CHECKING:
    import threadpoolctl
    from coremltools.optimize import coreml as optimize
    from sklearn import cluster
else:
    cluster = Lazy("sklearn.cluster", "coreml")
    optimize = Lazy("coremltools.optimize.coreml", "coreml")
    threadpoolctl = Lazy("threadpoolctl", "coreml")


# coremltools' default: in smaller weights, scales and palettes take what is saved.
_SMALLEST = 2048


@dataclass(frozen=True)
class Scheme:
    """A compression scheme.

    Attributes:
        bits: the number of bits of each weight.
        clusters: whether weights are stored by a palette of 2**bits values, found by k-means;
            else they are linear and symmetric.
        least: the oldest system that can read it.
        block: the number of input channels that share a scale, or None for one scale per output
            channel.
    """

    bits: int
    clusters: bool
    least: str
    block: int | None = None


SCHEMES = {
    "int8": Scheme(8, clusters=False, least="iOS16"),
    "palette8": Scheme(8, clusters=True, least="iOS16"),
    "palette6": Scheme(6, clusters=True, least="iOS16"),
    "palette4": Scheme(4, clusters=True, least="iOS16"),
    "int4": Scheme(4, clusters=False, least="iOS18", block=32),
}


def compressed(model: Any, name: str) -> Any:
    """Return the model with its large weights compressed; biases and norms stay as they are.

    Raises:
        ExportError: coremltools failed, or no weight is large.
    """
    scheme = SCHEMES[name]
    compress = optimize.palettize_weights if scheme.clusters else optimize.linear_quantize_weights
    config = optimize.OptimizationConfig(global_config=_config(scheme))
    try:
        with quiet_library(), _one_thread(scheme):
            result = compress(model, config)
    # coremltools raises exceptions of many kinds.
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise ExportError(f"compression {name} failed: {reason}") from error
    if not any(kind.startswith("constexpr_") for kind in operations(result)):
        raise ExportError(
            f"compression {name}: no weight has more than {_SMALLEST:,} values{_blocks(scheme)}",
            fix="leave out --compress",
        )
    return result


def _config(scheme: Scheme) -> Any:
    if scheme.clusters:
        return optimize.OpPalettizerConfig("kmeans", scheme.bits, weight_threshold=_SMALLEST)
    blocks = {"granularity": "per_block", "block_size": scheme.block} if scheme.block else {}
    return optimize.OpLinearQuantizerConfig(
        "linear_symmetric", f"int{scheme.bits}", weight_threshold=_SMALLEST, **blocks
    )


def _blocks(scheme: Scheme) -> str:
    """Return the condition of block-wise schemes, which skip weights that blocks do not divide."""
    return f" and whole blocks of {scheme.block} input channels" if scheme.block else ""


@contextlib.contextmanager
def _one_thread(scheme: Scheme) -> Iterator[None]:
    """Run k-means in one thread: its sums, and so the palette, depend on the order of threads."""
    if not scheme.clusters:
        yield
        return
    _ = cluster.KMeans  # loaded first: the limit does not apply to libraries loaded later
    with threadpoolctl.threadpool_limits(1):
        yield
