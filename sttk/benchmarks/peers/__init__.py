"""Other people's ways to do the same work, and their nets, each at its best setting.

A peer may name the library that it is about; nobody else needs to know. It is one file that has all
of :class:`Peer`, and a name in ``PEERS``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sttk.benchmarks.cases import PreparedCase
from sttk.benchmarks.peers import plain_export, styletransfer_lite
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet


class Peer(Protocol):
    """A peer's file.

    Attributes:
        INSTALL: the line that installs what it needs.
    """

    INSTALL: str

    def cases(
        self, net: StyleNet, photo: Path, size: Size, threads: int, folder: Path
    ) -> Iterator[PreparedCase]:
        """See :func:`cases`."""

    def installed(self) -> bool:
        """Return whether what it needs is here."""


PEERS: tuple[Peer, ...] = (plain_export, styletransfer_lite)


def cases(
    net: StyleNet, photo: Path, size: Size, threads: int, folder: Path
) -> Iterator[PreparedCase]:
    """Yield every peer's cases at one size. One that cannot run says why.

    Args:
        net: the style, for peers that run any net.
        photo: a JPEG file of that size.
        size: (height, width) in pixels.
        threads: the CPU threads that each may use.
        folder: the folder that models may be written to.
    """
    for peer in PEERS:
        yield from peer.cases(net, photo, size, threads, folder)


def hint() -> str:
    """Return one line for those who did not ask for them."""
    missing = [peer.INSTALL for peer in PEERS if not peer.installed()]
    first = f", after {' and '.join(missing)}" if missing else ""
    return f"other people's ways and nets beside it: --peers{first}"
