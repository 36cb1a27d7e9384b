"""The requirements for exporting and running a target, and whether this machine meets them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.host.packages import SELF, version_of

# The distributions that make the ONNX graph, from which several targets start.
GRAPH = ("onnx", "onnxruntime", "onnxscript", "onnxsim")


@dataclass(frozen=True)
class Ability:
    """Whether a target can be exported and run here, and how, or why not."""

    target: str
    exports: bool
    export: str
    runs: bool
    run: str

    def __str__(self) -> str:
        """Return a line such as ``trt: export yes (RTX), run no: no CUDA device``."""
        return f"{self.target}: export {self.export}, run {self.run}"


@dataclass(frozen=True)
class Requirements:
    """The libraries of a target, by the names of their distributions.

    Attributes:
        exports: the libraries that make an artifact; all of them are needed.
        runs: the libraries that run it; all of them are needed.
        note: a remark on what runs it, where the libraries do not tell.
        needs_gpu: whether it runs on a CUDA device only.
    """

    exports: tuple[str, ...]
    runs: tuple[str, ...] = ()
    note: str = ""
    needs_gpu: bool = False

    def ability(self, target: str, devices: Sequence[Gpu]) -> Ability:
        """Return what this machine can do with ``target``.

        Args:
            target: the target's name, which is also the extra that installs its libraries.
            devices: the CUDA devices of this machine.
        """
        del devices  # only targets that run on a GPU use them
        export, run = lacking(target, self.exports), lacking(target, self.runs)
        noted = f"yes, {self.note}" if self.note and run == YES else run
        return Ability(target, export == YES, export, run == YES, noted)

    def versions(self) -> dict[str, str]:
        """Return the installed versions of the libraries that run it, by distribution."""
        found = {name: version_of(name) for name in self.runs}
        return {name: version for name, version in found.items() if version}

    def libraries(self) -> tuple[str, ...]:
        """Return the distributions that an export needs; of alternatives, the installed one."""
        return self.exports


YES = "yes"


def lacking(target: str, needs: Iterable[str]) -> str:
    """Return ``yes``, or the missing distributions and the pip command that installs them."""
    absent = [name for name in needs if version_of(name) is None]
    return f"no: {', '.join(absent)} not installed ({fix(target)})" if absent else YES


def fix(extra: str) -> str:
    """Return the pip command that installs an extra."""
    return f"pip install '{SELF}[{extra}]'"
