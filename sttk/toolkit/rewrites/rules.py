"""The rewrites that make a net faster on some runtimes, and how to apply them."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Protocol, cast

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.style_net import StyleNet

# Each is the ``NAME`` of a module here, which is called so with underscores.
NAMES = (
    "phase-upsample",
    "wide-head",
    "transposed-upsample",
    "sliced-pads",
)


class Rewrite(Protocol):
    """A rewrite. Each is one module of this package; see any of them for an example.

    Attributes:
        NAME: its name, which manifests record.
        PRECISIONS: the model precisions for which the rewrite was measured and proven.
    """

    NAME: str
    PRECISIONS: tuple[Precision, ...]

    def rewrite(self, net: StyleNet) -> tuple[StyleNet, int]:
        """Return the same function in another form, and the number of rewritten places.

        Raises:
            ExportError: the new net computes another function.
        """


def rule(name: str) -> Rewrite:
    """Return the rewrite of a name in ``NAMES``."""
    module = importlib.import_module(f"{__package__}.{name.replace('-', '_')}")
    return cast("Rewrite", module)


# Cached by the net's identity, because several targets and sizes ask for the same rewrites.
@lru_cache(maxsize=4)
def rewritten(
    net: StyleNet, names: tuple[str, ...], precision: str
) -> tuple[StyleNet, tuple[str, ...]]:
    """Apply the named rewrites that are meant for this precision.

    Returns:
        The rewritten net (``net`` itself if no rewrite applied), and the names of those that did.

    Raises:
        ExportError: a rewrite would change the net's function.
    """
    done = []
    for name in names:
        if name in NAMES and precision in rule(name).PRECISIONS:
            net, count = rule(name).rewrite(net)
            done += [name] if count else []
    return net, tuple(done)
