"""What a web page needs: a graph, and a browser to run it."""

from __future__ import annotations

from collections.abc import Sequence

from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.targets.requirements import YES, Ability, Requirements, lacking
from sttk.toolkit.web import chromium


class WebRequirements(Requirements):
    """The libraries of the graph; Chromium runs the page."""

    def ability(self, target: str, devices: Sequence[Gpu]) -> Ability:
        """See :class:`Requirements`."""
        del devices
        export = lacking(target, self.exports)
        here = chromium.find() is not None
        run = "yes, in Chromium" if here else f"no: no Chromium (or set {chromium.VARIABLE})"
        return Ability(target, export == YES, export, here, run)
