from __future__ import annotations

import pytest
from torch import nn

from sttk.exporters.plans import usual_plan
from sttk.toolkit import styles
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.plan import Plan
from sttk.toolkit.core.style_net import Origin, StyleNet
from sttk.toolkit.precision.boundary import boundary_blocks
from tests.precision.test_blocks import NETS


def names(net):
    return {module.removeprefix("net.") for end in boundary_blocks(net) for module in end.modules}


def of(layers):
    return StyleNet(layers, Contract(), Origin("a", "a", "0", "a"))


@pytest.mark.parametrize(
    ("style", "ends"),
    [
        ("ink", "conv1 norm1 conv2 norm2 up2 norm5 head"),
        ("ink-mobile-m", "conv1 conv2 norm2 up1 norm3 up2"),
        ("ink-mobile-s", "conv1 conv2 norm2 up1 norm3 up2"),
    ],
)
def test_shipped_nets(style, ends):
    assert names(styles.find(style)) == set(ends.split())


@pytest.mark.parametrize(
    ("layout", "ends"),
    [
        ("resnext", "conv1 norm1 conv2 norm2 up2 norm5 head"),
        ("mobilenetv2", "conv1 norm1 down1 up2 head"),
        ("lengstrom", "conv1 conv2 up2 head"),
    ],
)
def test_nets_of_others(layout, ends):
    assert names(of(NETS[layout])) == set(ends.split())


def test_a_net_that_is_all_ends_has_none():
    """A plan with nothing in its default is refused; of five steps, the third is between them."""
    layers = nn.Sequential(*(nn.Conv2d(3, 3, 3) for _ in range(4)))
    assert names(of(layers)) == set()
    assert usual_plan("executorch", of(layers), "fp16") == Plan("fp16")
    assert names(of(nn.Sequential(*layers, nn.Conv2d(3, 3, 3)))) == {"0", "1", "3", "4"}


def test_where_a_target_has_them(net):
    ends = {name: "fp32" for end in boundary_blocks(net) for name in end.modules}
    assert usual_plan("executorch", net, "fp16") == Plan.of_blocks("fp16", ends)
    assert usual_plan("executorch", net) == Plan("fp32")
    assert usual_plan("executorch", net, "int8") == Plan("int8")
    assert usual_plan("onnx", net, "fp16") == Plan.of_blocks("fp16", ends)
    assert usual_plan("openvino", net, "fp16") == Plan("fp16")
    assert usual_plan("coreml", net) == Plan("fp16")
