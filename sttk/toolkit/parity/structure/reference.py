"""The operations of a torch net with their numbers, in the order of execution."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.shapes import Size
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.nets.followed import followed
from sttk.toolkit.quantize.fake import QuantConv
from sttk.toolkit.rewrites.sliced_pads import SlicedPad
from sttk.toolkit.targets import structure
from sttk.toolkit.targets.structure import NotReadError, Operation, Stored

Call = Mapping[str, Any]
_META = torch.device("meta")
_MODES = {"constant": "zeros", "reflect": "reflect", "replicate": "edge"}
_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = (
    "input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation",
)  # fmt: skip
# Modules that write one operation as several; their own operations do not count.
_WHOLE = (SlicedPad,)


def operations_of(net: StyleNet, size: Size, plan: Plan) -> list[Operation]:
    """Return the operations of ``net`` for pictures of (height, width).

    Only shapes are computed, so a large size costs no more than a small one.

    Args:
        net: the net.
        size: (height, width).
        plan: the precision of each block: weights of float16 may be rounded to it.

    Raises:
        ArtifactError: the net has an operation that torch cannot trace without values.
    """
    net = copy.deepcopy(net)
    try:
        with torch.inference_mode(), followed(net) as where, _Recorder(where, plan) as recorder:
            net(torch.empty((1, 3, *size), device=_META))
    except (RuntimeError, NotImplementedError, NotReadError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ArtifactError(
            f"{net.origin.name}: its operations cannot be read: {reason}"
        ) from error
    found: list[Operation] = recorder.operations
    return found


class _Recorder(TorchFunctionMode):
    """A torch mode that records operations, and computes shapes alone."""

    def __init__(self, where: list[tuple[str, nn.Module]], plan: Plan) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self._where, self._plan = where, plan

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """See torch.overrides."""
        kwargs = kwargs or {}
        tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
        if not any(each.is_meta for each in tensors):
            return func(*args, **kwargs)
        inner = [module for _, module in self._where if isinstance(module, _WHOLE)]
        if func in _READERS and not inner:
            found = _READERS[func](self._name(), _named(func, args, kwargs))
            self.operations += [self._as_saved(found)] if found else []
        elif inner and not getattr(inner[-1], "seen", False):
            self.operations.append(_sliced_pad(self._name(), inner[-1]))
            inner[-1].seen = True  # type: ignore[assignment]
        return func(
            *(_shape_of(each) for each in args), **{key: _shape_of(kwargs[key]) for key in kwargs}
        )

    def _as_saved(self, operation: Operation) -> Operation:
        """Return it with what its precision may have done to its weights."""
        values = dict(operation.values)
        module = self._where[-1][1] if self._where else None
        if isinstance(module, QuantConv) and "weight" in values:
            # The float weights, half a step around: at a tie, libraries round differently.
            steps = module.scales.numpy().reshape(-1, 1, 1, 1) / 2
            values["weight"] = Stored(module.conv.weight.numpy(), absolute=steps)
        if self._plan.of(self._name()) == "fp16":
            values |= {key: each.half for key, each in values.items() if key != "epsilon"}
        return dataclasses.replace(operation, values=values)

    def _name(self) -> str:
        return self._where[-1][0] if self._where else ""


def _shape_of(value: Any) -> Any:
    return value.to(_META) if isinstance(value, Tensor) else value


def _named(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """Return a call's arguments by name; torch's built-in functions have no signature."""
    if func in _NAMES:
        return {**dict(zip(_NAMES[func], args, strict=False)), **kwargs}
    bound = inspect.signature(func).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _stored(tensor: Tensor | None) -> Stored | None:
    return None if tensor is None else structure.stored(tensor.detach().numpy())


def _present(tensor: Tensor | None) -> Stored:
    found = _stored(tensor)
    if found is None:
        raise NotReadError("weights that are missing")
    return found


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else (value * 2)[:2]
    return int(first), int(second)


def _convolution(name: str, call: Call) -> Operation:
    weight, padding = call["weight"], call.get("padding", 0)
    dilation = _pair(call.get("dilation", 1))
    if padding == "valid":
        padding = 0
    elif padding == "same":
        reach = [step * (side - 1) for step, side in zip(dilation, weight.shape[2:], strict=True)]
        halves = [each // 2 for each in reach]
        pads = (*halves, *(whole - half for whole, half in zip(reach, halves, strict=True)))
    if padding != "same":
        pads = (*_pair(padding), *_pair(padding))
    return structure.convolution(
        name, _present(weight), _stored(call.get("bias")), stride=_pair(call.get("stride", 1)),
        pads=pads, dilation=dilation, groups=call.get("groups", 1),
    )  # fmt: skip


def _transposed(name: str, call: Call) -> Operation:
    down, right = _pair(call.get("padding", 0))
    more_down, more_right = _pair(call.get("output_padding", 0))
    return structure.convolution(
        name, _present(call["weight"]), _stored(call.get("bias")),
        stride=_pair(call.get("stride", 1)),
        pads=(down, right, down - more_down, right - more_right),
        dilation=_pair(call.get("dilation", 1)), groups=call.get("groups", 1), transposed=True,
    )  # fmt: skip


def _norm(name: str, call: Call) -> Operation | None:
    if not call["use_input_stats"]:
        return None
    channels = call["input"].shape[1]
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    gain = _stored(call["weight"]) or Stored(ones)
    bias = _stored(call["bias"]) or Stored(zeros)
    return structure.norm(name, gain, bias, structure.number(float(call["eps"])))


def _batch_norm(name: str, call: Call) -> Operation | None:
    if call["training"] or call["weight"] is None:
        return None
    keys = ("weight", "bias", "running_mean", "running_var")
    return structure.batch_norm(name, [_present(call[key]) for key in keys], call["eps"])


def _pad(name: str, call: Call) -> Operation | None:
    left, right, top, bottom = (*call["pad"], 0, 0, 0, 0)[:4]
    if not any(call["pad"]):
        return None
    if any(call["pad"][4:]) or call["mode"] not in _MODES or call["value"]:
        raise NotReadError(f"a pad of {call['pad']} {call['mode']}")
    return structure.pad(name, _MODES[call["mode"]], (top, left, bottom, right))


def _sliced_pad(name: str, module: SlicedPad) -> Operation:
    left, right, top, bottom = module.padding
    return structure.pad(name, "reflect" if module.reflect else "edge", (top, left, bottom, right))


def _crop(name: str, call: Call) -> Operation | None:
    """Read a slice, if it cuts off rows and columns and does nothing else."""
    at = call["indices"] if isinstance(call["indices"], tuple) else (call["indices"],)
    if at and at[0] is Ellipsis:
        at = (slice(None),) * (5 - len(at)) + at[1:]
    sides, shape = [0, 0, 0, 0], call["input"].shape
    if len(at) > 4 or call["input"].ndim != 4 or not all(isinstance(one, slice) for one in at):
        return None
    for axis, one in enumerate(at):
        first, past, step = one.indices(shape[axis])
        cut = first, shape[axis] - past
        if step != 1 or (axis < 2 and any(cut)):
            return None
        if axis >= 2:
            sides[axis - 2], sides[axis] = cut
    return structure.crop(name, sides) if any(sides) else None


def _resize(name: str, call: Call) -> Operation:
    size, factor = call["size"], call["scale_factor"]
    if factor is None:
        sides = (size, size) if isinstance(size, int) else tuple(size)
        factors = [a / b for a, b in zip(sides, call["input"].shape[2:], strict=True)]
    else:
        factors = [float(each) for each in (factor if isinstance(factor, list | tuple)
                                            else (factor, factor))]  # fmt: skip
    mode = "linear" if call["mode"] == "bilinear" else call["mode"]
    return structure.resize(name, mode, factors)


def _shuffle(name: str, call: Call) -> Operation:
    return structure.shuffle(name, call["upscale_factor"])


def _function(function: str) -> Callable[[str, Call], Operation]:
    return lambda name, _: structure.activation(name, function)


def _leaky_relu(name: str, call: Call) -> Operation:
    return structure.activation(name, "leaky relu", slope=float(call["negative_slope"]))


def _clamp(name: str, call: Call) -> Operation:
    low, high = call.get("min"), call.get("max")
    return structure.activation(
        name, "clamp",
        low=-np.inf if low is None else float(low), high=np.inf if high is None else float(high),
    )  # fmt: skip


def _hardtanh(name: str, call: Call) -> Operation:
    return structure.activation(name, "clamp", low=call["min_val"], high=call["max_val"])


def _relu6(name: str, _: Call) -> Operation:
    return structure.activation(name, "clamp", low=0.0, high=6.0)


_NAMES: dict[Callable[..., Any], tuple[str, ...]] = {
    torch.conv2d: _CONVOLUTION,
    torch.conv_transpose2d: _TRANSPOSED,
    torch.pixel_shuffle: ("input", "upscale_factor"),
    Tensor.__getitem__: ("input", "indices"),
    Tensor.clamp: ("input", "min", "max"),
    torch.clamp: ("input", "min", "max"),
    **dict.fromkeys((torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), ("input",)),
    **dict.fromkeys((torch.tanh, Tensor.tanh, torch.sigmoid, Tensor.sigmoid), ("input",)),
}
_READERS: dict[Callable[..., Any], Callable[[str, Call], Operation | None]] = {
    torch.conv2d: _convolution,
    torch.conv_transpose2d: _transposed,
    F.instance_norm: _norm,
    F.batch_norm: _batch_norm,
    F.pad: _pad,
    F.interpolate: _resize,
    torch.pixel_shuffle: _shuffle,
    Tensor.__getitem__: _crop,
    F.leaky_relu: _leaky_relu,
    F.hardtanh: _hardtanh,
    F.relu6: _relu6,
    **dict.fromkeys((Tensor.clamp, torch.clamp), _clamp),
    **dict.fromkeys(
        (F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), _function("relu")
    ),
    **dict.fromkeys((torch.tanh, Tensor.tanh), _function("tanh")),
    **dict.fromkeys((torch.sigmoid, Tensor.sigmoid), _function("sigmoid")),
}
