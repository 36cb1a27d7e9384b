"""Rules that replace a step by another that computes the same value from earlier ones."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import nn

from sttk.toolkit.checkpoints.onnx_graph.program import Program, Step
from sttk.toolkit.checkpoints.onnx_graph.shapes import Shape

_Module = TypeVar("_Module", bound=nn.Module)


class View:
    """The part of the program that a rule sees: the earlier steps, already rewritten."""

    def __init__(self, program: Program) -> None:
        self._makers: dict[str, Step] = {}
        self._uses = Counter(name for step in program.steps for name in step.inputs)
        self._uses[program.output] += 1
        self._shapes = program.shapes

    def add(self, step: Step) -> None:
        """Add a finished step."""
        self._makers[step.output] = step

    def maker(self, name: str) -> Step | None:
        """Return the step that computes a value, or None for the picture."""
        return self._makers.get(name)

    def made_by(self, name: str, kind: type[_Module]) -> tuple[_Module, tuple[str, ...]] | None:
        """Return the module and inputs of the step that computes a value, if of this kind."""
        step = self._makers.get(name)
        return (step.module, step.inputs) if step and isinstance(step.module, kind) else None

    def used_once(self, name: str) -> bool:
        """Return whether exactly one step reads this value."""
        return self._uses[name] == 1

    def shape(self, name: str) -> Shape:
        """Return the shape of a value, for the picture that the graph was traced with."""
        return self._shapes[name]


# None leaves the step; a module and its inputs replace it; a name is the value that it equals.
Found = tuple[nn.Module, tuple[str, ...]] | str | None
Rule = Callable[[Step, View], Found]


def sweep(program: Program, rules: Sequence[Rule]) -> Program:
    """Try each rule on each step once, from input to output."""
    view, done, equal = View(program), list[Step](), dict[str, str]()
    for original in program.steps:
        inputs = tuple(equal.get(name, name) for name in original.inputs)
        step: Step | None = dataclasses.replace(original, inputs=inputs)
        for rule in rules:
            found = rule(step, view) if step else None
            if isinstance(found, str):
                equal[original.output], step = found, None
            elif found and step:
                step = dataclasses.replace(step, module=found[0], inputs=found[1])
        if step:
            view.add(step)
            done.append(step)
    output = equal.get(program.output, program.output)
    return Program(tuple(done), program.shapes, program.picture, output).needed()
