"""Adapts a graph to RGB input and output in 0..255, folded into its weights where exact."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from sttk.toolkit.checkpoints.onnx_graph.io_convention import BYTES, IOConvention, Range
from sttk.toolkit.checkpoints.onnx_graph.modules import (
    Affine,
    ChannelOrder,
    Clip,
    Crop,
    with_weights,
)
from sttk.toolkit.checkpoints.onnx_graph.program import Program, Step

_BGR = (2, 1, 0)
_MIRRORS = (nn.ReflectionPad2d, nn.ReplicationPad2d)
# Modules that treat all channels alike.
_CHANNELWISE = (*_MIRRORS, nn.ConstantPad2d, nn.Tanh, nn.Sigmoid, nn.ReLU, nn.Upsample, Clip, Crop)
_Conv = nn.Conv2d | nn.ConvTranspose2d


def adapt(program: Program, convention: IOConvention) -> Program:
    """Return the program for pictures in 0..255 RGB."""
    if convention.input != BYTES:
        program = _scale_input(program, *_between(BYTES, convention.input))
    if convention.output != BYTES:
        program = _scale_output(program, *_between(convention.output, BYTES))
    return _order_output(_order_input(program)) if convention.bgr else program


def _between(have: Range, want: Range) -> tuple[Tensor, Tensor]:
    """Return the scale and shift that map one range to another."""
    scale = (want[1] - want[0]) / (have[1] - have[0])
    shift = want[0] - scale * have[0]
    return torch.full((1, 1, 1, 1), scale), torch.full((1, 1, 1, 1), shift)


def _scale_input(program: Program, scale: Tensor, shift: Tensor) -> Program:
    """Fold into conv(s x + t) = (s conv)(x) + t sum(conv), if no zero padding lies between."""
    shifted = bool(shift.any())
    for index, module in _from_picture(program):
        if isinstance(module, Affine):
            inner = Affine(module.scale * scale, module.scale * shift + module.shift)
            return _replaced(program, {index: inner})
        if isinstance(module, nn.Conv2d) and not (shifted and any(module.padding)):
            moved = shift.flatten() * module.weight.sum((1, 2, 3))
            bias = moved if module.bias is None else module.bias + moved
            conv = _conv(module, module.weight * scale, bias if shifted else module.bias)
            return _replaced(program, {index: conv})
        zeros = isinstance(module, nn.ConstantPad2d) and module.value == 0 and not shifted
        if not (isinstance(module, _MIRRORS) or zeros):
            break
    return _before(program, Affine(scale, shift))


def _scale_output(program: Program, scale: Tensor, shift: Tensor) -> Program:
    """Fold into s (w x + b) + t = (s w) x + (s b + t)."""
    for index, module in _to_output(program):
        if isinstance(module, Affine):
            outer = Affine(module.scale * scale, module.shift * scale + shift)
            return _replaced(program, {index: outer})
        if isinstance(module, _Conv):
            old = torch.zeros(module.out_channels) if module.bias is None else module.bias
            conv = _conv(module, module.weight * scale, old * scale.flatten() + shift.flatten())
            return _replaced(program, {index: conv})
        break
    return _after(program, Affine(scale, shift))


def _order_input(program: Program) -> Program:
    """Reorder a convolution's input channels, which it sums over in any order."""
    replaced: dict[int, nn.Module] = {}
    for index, module in _from_picture(program):
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            replaced[index] = _conv(module, module.weight[:, _BGR], module.bias)
            return _replaced(program, replaced)
        if isinstance(module, Affine):
            replaced[index] = _reordered(module)
        elif not isinstance(module, _CHANNELWISE):
            break
    return _before(program, ChannelOrder(torch.tensor(_BGR)))


def _order_output(program: Program) -> Program:
    """Reorder a convolution's output channels, which are independent of each other."""
    replaced: dict[int, nn.Module] = {}
    for index, module in _to_output(program):
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            bias = None if module.bias is None else module.bias[list(_BGR)]
            replaced[index] = _conv(module, module.weight[list(_BGR)], bias)
            return _replaced(program, replaced)
        if isinstance(module, Affine | nn.InstanceNorm2d):
            replaced[index] = _reordered(module)
        elif not isinstance(module, _CHANNELWISE):
            break
    return _after(program, ChannelOrder(torch.tensor(_BGR)))


def _reordered(module: Affine | nn.InstanceNorm2d) -> nn.Module:
    if isinstance(module, Affine):
        parts = (part.expand(1, 3, 1, 1)[:, _BGR] for part in (module.scale, module.shift))
        return Affine(*parts)
    order = list(_BGR)
    return with_weights(copy.deepcopy(module), weight=module.weight[order], bias=module.bias[order])


def _conv(like: _Conv, weight: Tensor, bias: Tensor | None) -> nn.Module:
    module = copy.deepcopy(like)
    module.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
    module.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    return module


def _from_picture(program: Program) -> Iterator[tuple[int, nn.Module]]:
    """Yield the chain of steps from the picture, in which each value has one reader."""
    uses = Counter(name for step in program.steps for name in step.inputs)
    value = program.picture
    for index, step in enumerate(program.steps):
        if uses[value] != 1 or value == program.output:
            return
        if step.inputs == (value,):
            yield index, step.module
            value = step.output


def _to_output(program: Program) -> Iterator[tuple[int, nn.Module]]:
    """Yield the chain of steps back from the output, in which each value has one reader."""
    uses = Counter(name for step in program.steps for name in step.inputs)
    uses[program.output] += 1
    value = program.output
    for index, step in reversed(list(enumerate(program.steps))):
        if uses[value] != 1:
            return
        if step.output == value:
            if len(step.inputs) != 1:
                return
            yield index, step.module
            value = step.inputs[0]


def _replaced(program: Program, modules: Mapping[int, nn.Module]) -> Program:
    steps = [
        dataclasses.replace(step, module=modules.get(index, step.module))
        for index, step in enumerate(program.steps)
    ]
    return dataclasses.replace(program, steps=tuple(steps))


def _before(program: Program, module: nn.Module) -> Program:
    """Return the program with one more step at the start."""
    value = f"{program.picture}/{type(module).__name__}"
    first = Step(module, (program.picture,), value, "")
    steps = [
        dataclasses.replace(
            step, inputs=tuple(value if n == program.picture else n for n in step.inputs)
        )
        for step in program.steps
    ]
    return dataclasses.replace(program, steps=(first, *steps))


def _after(program: Program, module: nn.Module) -> Program:
    """Return the program with one more step at the end."""
    value = f"{program.output}/{type(module).__name__}"
    last = Step(module, (program.output,), value, "")
    return dataclasses.replace(program, steps=(*program.steps, last), output=value)
