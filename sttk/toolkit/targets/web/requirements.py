"""The requirements of the web target: an ONNX graph, and a browser to run the page."""

from __future__ import annotations

from collections.abc import Sequence

from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.targets.requirements import YES, Ability, Requirements, lacking
from sttk.toolkit.web import chromium


class WebRequirements(Requirements):
    """The libraries that make the graph, and Chromium, which runs the page."""

    def ability(self, target: str, devices: Sequence[Gpu]) -> Ability:
        """See :class:`Requirements`."""
        del devices
        export = lacking(target, self.exports)
        here = chromium.find() is not None
        run = "yes, in Chromium" if here else f"no: no Chromium (or set {chromium.VARIABLE})"
        return Ability(target, export == YES, export, here, run)
