"""The rewrites that make a net faster on some runtimes, and how to apply them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from sttk.toolkit.core.contract import Precision
from sttk.toolkit.core.style_net import StyleNet
from sttk.toolkit.rewrites import phase_upsample, sliced_pads, transposed_upsample, wide_head


@dataclass(frozen=True)
class Rule:
    """A rewrite rule.

    Attributes:
        apply: returns the same function in another form, and the number of rewritten places.
        precisions: the model precisions for which the rewrite was measured and proven.
    """

    apply: Callable[[StyleNet], tuple[StyleNet, int]]
    precisions: tuple[Precision, ...]


_ALL: tuple[Precision, ...] = ("fp32", "fp16", "int8")
# In float16 a rounded sum of weights is not the sum of the rounded weights, so summing phases would
# give another net than the one with float16 weights, which is the reference for saved weights.
# ExecuTorch, for which transposed upsampling is meant, cannot compute such weights in float32; its
# reference is the float net. In int8 sums are rounded too, but there the rewritten net is the one
# that is quantised, and so it is itself the reference.
RULES = {
    phase_upsample.NAME: Rule(phase_upsample.phase_upsample, ("fp32", "int8")),
    wide_head.NAME: Rule(wide_head.wide_head, ("fp32", "int8")),
    transposed_upsample.NAME: Rule(transposed_upsample.transposed_upsample, _ALL),
    sliced_pads.NAME: Rule(sliced_pads.sliced_pads, _ALL),
}


# Cached by the net's identity, because several targets and sizes ask for the same rewrites.
@lru_cache(maxsize=4)
def rewritten(
    net: StyleNet, names: tuple[str, ...], precision: str
) -> tuple[StyleNet, tuple[str, ...]]:
    """Apply the named rules that are meant for this precision.

    Returns:
        The rewritten net (``net`` itself if no rule applied), and the names of the rules that did.

    Raises:
        ExportError: a rule would change the net's function.
    """
    done = []
    for name in names:
        if name in RULES and precision in RULES[name].precisions:
            net, count = RULES[name].apply(net)
            done += [name] if count else []
    return net, tuple(done)
