"""A plan: the precision of each block of a style net.

A block is a torch module of the net. A name covers its submodules too, and the longest matching
name wins. The default must be the lowest precision, because it determines what the model promises.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sttk.toolkit.core.contract import PRECISIONS, Precision
from sttk.toolkit.core.errors import UsageError

DEFAULT = "default"
# From the highest precision; int8 and fp8 rank equally.
_RANKS: Mapping[str, int] = {"fp32": 0, "fp16": 1, "int8": 2, "fp8": 2}
_QUANTISED = ("int8", "fp8")


@dataclass(frozen=True)
class Plan:
    """The precisions of a style net's blocks.

    Attributes:
        default: the precision of every block that is not named, which is the lowest one.
        blocks: sorted pairs of a torch module's name, such as ``net.blocks.0.norm1``, and its
            precision.
    """

    default: Precision
    blocks: tuple[tuple[str, Precision], ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for an impossible plan: plans come from files."""
        for name, precision in ((DEFAULT, self.default), *self.blocks):
            if precision not in PRECISIONS:
                raise ValueError(f"{name} in {precision!r}; known: {', '.join(PRECISIONS)}")
            if precision != self.default and _RANKS[precision] >= _RANKS[self.default]:
                raise ValueError(
                    f"{name} in {precision} is no higher than the default, {self.default}"
                )

    @classmethod
    def of_blocks(cls, default: Precision, blocks: Mapping[str, Precision]) -> Plan:
        """Return the plan with a dictionary's precisions."""
        return cls(default, tuple(sorted(blocks.items())))

    def of(self, module: str) -> Precision:
        """Return the precision of a torch module, by its name in the style net."""
        covering = [entry for entry in self.blocks if _covers(entry[0], module)]
        return max(covering, key=lambda entry: len(entry[0]))[1] if covering else self.default

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions in the plan, the default first."""
        return tuple(dict.fromkeys((self.default, *(precision for _, precision in self.blocks))))

    @property
    def quantised(self) -> bool:
        """Whether any block is in int8 or fp8."""
        return self.default in _QUANTISED

    @property
    def digest(self) -> str:
        """The eight hex digits that identify the plan."""
        text = json.dumps(self.to_dict(), indent=2, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def to_dict(self) -> dict[str, str]:
        """Return the plan as in a manifest: ``default``, then the blocks."""
        return {DEFAULT: self.default, **dict(self.blocks)}

    @classmethod
    def from_dict(cls, fields: Any) -> Plan:
        """Invert :meth:`to_dict`.

        Raises:
            ValueError: ``fields`` is not a plan.
        """
        whole = isinstance(fields, dict) and DEFAULT in fields
        if not whole or not all(isinstance(precision, str) for precision in fields.values()):
            raise ValueError(f"no dictionary of precisions by block, with a {DEFAULT!r}")
        return cls.of_blocks(
            fields[DEFAULT], {name: fields[name] for name in fields if name != DEFAULT}
        )

    def check_blocks(self, modules: Mapping[str, bool]) -> None:
        """Check that every name is a block of a net, and that the default applies to some block.

        Args:
            modules: the net's modules by name, and whether each has weights of its own.

        Raises:
            UsageError: a name is not a block (the fix lists similar names), or no block has the
                default precision.
        """
        known = [name for name in modules if name]
        for name, _ in self.blocks:
            if name not in known:
                near = get_close_matches(name, known, 3, 0.4) or known[:3]
                raise UsageError(
                    f"the plan names {name!r:.80}, and the net has no such block",
                    fix=f"near it: {', '.join(near)}",
                )
        rest = (weighs for name, weighs in modules.items() if self.of(name) == self.default)
        if self.blocks and not any(rest):
            raise UsageError(
                f"the plan leaves nothing in {self.default}, its default",
                fix="make another precision the default",
            )

    def __str__(self) -> str:
        """Return one line: ``fp16, but fp32 in net.conv1, net.head``."""
        parts = [
            f"{precision} in {', '.join(name for name, p in self.blocks if p == precision)}"
            for precision in self.precisions
            if any(p == precision for _, p in self.blocks)
        ]
        return f"{self.default}, but {'; '.join(parts)}" if parts else self.default


def _covers(block: str, module: str) -> bool:
    return module == block or module.startswith(f"{block}.")
