"""The order in which a graph's nodes can run, which some tools leave to the reader."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence

from sttk.toolkit.checkpoints.onnx_graph.errors import UnreadableError
from sttk.toolkit.checkpoints.onnx_graph.graph import Node


def in_order(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Return the nodes, each after those that make its inputs, else in the order of the file.

    Raises:
        UnreadableError: nodes wait for each other, so that none of them can run.
    """
    missing = _needed(nodes)
    users: dict[int, list[int]] = defaultdict(list)
    for place, needed in enumerate(missing):
        for maker in needed:
            users[maker].append(place)
    # Kahn's algorithm; the heap keeps the file's order where there is a choice.
    ready = [place for place, needed in enumerate(missing) if not needed]
    found: list[int] = []
    while ready:
        found.append(heapq.heappop(ready))
        for user in users[found[-1]]:
            missing[user].discard(found[-1])
            if not missing[user]:
                heapq.heappush(ready, user)
    stuck = next((node for node, needed in zip(nodes, missing, strict=True) if needed), None)
    if stuck is not None:
        raise UnreadableError(f"{stuck}: its input depends on its own output")
    return tuple(nodes[place] for place in found)


def _needed(nodes: Sequence[Node]) -> list[set[int]]:
    """Return for each node the places of those that make its inputs."""
    makers: dict[str, int] = {}
    for place, node in enumerate(nodes):
        for name in node.outputs:
            makers.setdefault(name, place)
    # A node that makes its own input has an input of that name, or another fault.
    return [
        {makers[name] for name in node.inputs if makers.get(name, place) != place}
        for place, node in enumerate(nodes)
    ]
