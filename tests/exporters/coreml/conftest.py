from __future__ import annotations

import pytest
import torch

from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec


@pytest.fixture(scope="session")
def wide_path(tmp_path_factory):
    """A net with weights that are worth compressing, in blocks of 32 too."""
    torch.manual_seed(0)
    net = JohnsonNet(JohnsonSpec(widths=(4, 8, 32), blocks=1, output="tanh"))
    path = tmp_path_factory.mktemp("nets") / "wide.safetensors"
    save_net(path, net, Contract(), {})
    return path


@pytest.fixture(scope="session")
def wide(wide_path):
    return load(wide_path)
