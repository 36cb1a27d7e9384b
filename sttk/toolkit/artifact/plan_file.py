"""The file that holds a plan, written by ``sttk precision`` or by hand.

    {
      "schema": 1,
      "checkpoint": "0dd8…",
      "plan": {"default": "fp16", "net.conv1": "fp32"}
    }

``checkpoint`` is the sha256 of the checkpoint that the plan was found for; a plan without it can be
used with any net that has its blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.io.files import write_atomic
from sttk.toolkit.io.json_text import dumps, read_json

SCHEMA = 1
_LARGEST_FILE = 1 << 20


def write_plan(path: Path, plan: Plan, checkpoint: str, about: Mapping[str, Any]) -> None:
    """Write a plan file, atomically.

    Args:
        path: the file.
        plan: the plan.
        checkpoint: the sha256 of the checkpoint that the plan is for.
        about: further information for people; :func:`read_plan` ignores it.
    """
    content = {"schema": SCHEMA, "checkpoint": checkpoint, "plan": plan.to_dict(), **about}
    write_atomic(path, f"{dumps(content)}\n".encode())


def read_plan(path: Path, checkpoint: str) -> Plan:
    """Read a plan from a file, which may have been written by hand.

    Args:
        path: the file.
        checkpoint: the sha256 of the checkpoint that the plan is to be used with.

    Raises:
        UsageError: the file cannot be read, is not a plan, or is for another checkpoint.
    """
    try:
        content = read_json(path, _LARGEST_FILE)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise ValueError(f"no dictionary of schema {SCHEMA}")
        plan = Plan.from_dict(content.get("plan"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path}: not a plan: {' '.join(str(reason).split())[:160]}") from error
    if content.get("checkpoint", checkpoint) != checkpoint:
        raise UsageError(
            f"{path}: found for another checkpoint, {str(content['checkpoint'])[:12]!r}",
            fix='search again with sttk precision; without "checkpoint" it is for any net',
        )
    return plan
