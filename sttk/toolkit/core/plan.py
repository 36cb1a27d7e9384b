"""A plan: which block of a style net runs in which precision.

A block is a torch module of the net; a name covers what is below it, and the longest one wins. The
default is the lowest precision of all, because what a model promises goes by it.
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
# From the highest; int8 and fp8 are two formats of one rank.
_RANKS: Mapping[str, int] = {"fp32": 0, "fp16": 1, "int8": 2, "fp8": 2}
_QUANTISED = ("int8", "fp8")


@dataclass(frozen=True)
class Plan:
    """Precisions by block.

    Attributes:
        default: of every block that is not named; the lowest of them.
        blocks: (name of a torch module, such as ``net.blocks.0.norm1``, its precision), sorted.
    """

    default: Precision
    blocks: tuple[tuple[str, Precision], ...] = ()

    def __post_init__(self) -> None:
        """Plans come from files: raise ValueError on what cannot be one."""
        for name, precision in ((DEFAULT, self.default), *self.blocks):
            if precision not in PRECISIONS:
                raise ValueError(f"{name} in {precision!r}; known: {', '.join(PRECISIONS)}")
            if precision != self.default and _RANKS[precision] >= _RANKS[self.default]:
                raise ValueError(
                    f"{name} in {precision} is no higher than the default, {self.default}"
                )

    @classmethod
    def of_blocks(cls, default: Precision, blocks: Mapping[str, Precision]) -> Plan:
        """From a dictionary."""
        return cls(default, tuple(sorted(blocks.items())))

    def of(self, module: str) -> Precision:
        """The precision of a torch module, by its name in the style net."""
        covering = [entry for entry in self.blocks if _covers(entry[0], module)]
        return max(covering, key=lambda entry: len(entry[0]))[1] if covering else self.default

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """All that it names, the default first."""
        return tuple(dict.fromkeys((self.default, *(precision for _, precision in self.blocks))))

    @property
    def quantised(self) -> bool:
        """Whether anything is in int8 or fp8."""
        return self.default in _QUANTISED

    @property
    def digest(self) -> str:
        """Eight digits that tell it from other plans."""
        text = json.dumps(self.to_dict(), indent=2, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def to_dict(self) -> dict[str, str]:
        """As in a manifest: ``default``, then the blocks."""
        return {DEFAULT: self.default, **dict(self.blocks)}

    @classmethod
    def from_dict(cls, fields: Any) -> Plan:
        """The inverse of :meth:`to_dict`. Raises ValueError on anything that is none."""
        whole = isinstance(fields, dict) and DEFAULT in fields
        if not whole or not all(isinstance(precision, str) for precision in fields.values()):
            raise ValueError(f"no dictionary of precisions by block, with a {DEFAULT!r}")
        return cls.of_blocks(
            fields[DEFAULT], {name: fields[name] for name in fields if name != DEFAULT}
        )

    def check_blocks(self, modules: Mapping[str, bool]) -> None:
        """Refuse names that are no block of a net, and a default that is for none.

        Args:
            modules: of the net; whether each has weights of its own.

        Raises:
            UsageError: the first such name, with what comes near it.
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
        """In one line: ``fp16, but fp32 in net.conv1, net.head``."""
        parts = [
            f"{precision} in {', '.join(name for name, p in self.blocks if p == precision)}"
            for precision in self.precisions
            if any(p == precision for _, p in self.blocks)
        ]
        return f"{self.default}, but {'; '.join(parts)}" if parts else self.default


def _covers(block: str, module: str) -> bool:
    return module == block or module.startswith(f"{block}.")
