"""Nets of several styles in the forms that forks write them in: each style is a plain net."""

from __future__ import annotations

import pytest
import torch

from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.styles_within import styles_of
from sttk.toolkit.core.errors import CheckpointError, UsageError
from tests.checkpoints.test_skeletons import FORKS, authors, examples, picture, weights

STYLES = 3
PLAIN = type(FORKS["other-names"])(examples())


def is_norm(key: str) -> bool:
    return ".in" in key or key.startswith("in")


def several(form: str) -> dict[str, torch.Tensor]:
    """Three styles whose norms differ, in one of the forms."""
    state = {}
    for key, value in weights(PLAIN).items():
        rows = torch.stack([value + 0.1 * style for style in range(STYLES)])
        name, _, part = key.rpartition(".")
        word = {"weight": "gamma", "bias": "beta"}[part]
        if not is_norm(key):
            state[key] = value
        elif form == "rows":
            state[key] = rows
        elif form == "parameters":
            state[f"{name}.{word}"] = rows
        elif form == "embeddings":
            state[f"{name}.{word}.weight"] = rows
        elif form == "list":
            state |= {f"{name}.norms.{style}.{part}": rows[style] for style in range(STYLES)}
        elif part == "bias":
            state[f"{name}.embed.weight"] = torch.cat([state.pop(f"{name}.embed"), rows], 1)
        else:
            state[f"{name}.embed"] = rows
    return state


def plain(style: int) -> dict[str, torch.Tensor]:
    return {k: v + 0.1 * style if is_norm(k) else v for k, v in weights(PLAIN).items()}


@pytest.mark.parametrize("form", ["rows", "parameters", "embeddings", "embedding", "list"])
def test_each_style_is_a_plain_net(tmp_path, form):
    torch.save({"state_dict": several(form)}, tmp_path / "net.pth")
    rgb = picture(16, 20)
    for style in range(STYLES):
        net = load(f"{tmp_path / 'net.pth'}#style={style}")
        assert net.origin.layout == "pytorch-examples"
        assert net.origin.name == f"net-style{style}"
        wanted = authors(PLAIN, plain(style), rgb)
        torch.testing.assert_close(net.double()(rgb.double()), wanted, atol=1e-9, rtol=1e-9)


def test_a_style_is_asked_for_and_checked(tmp_path, sttk):
    torch.save(several("rows"), tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="holds 3 styles") as caught:
        load(tmp_path / "net.pth")
    assert "net.pth#style=0 to 2" in str(caught.value.fix)
    with pytest.raises(CheckpointError, match="holds styles 0 to 2"):
        load(f"{tmp_path / 'net.pth'}#style=3")
    torch.save(weights(PLAIN), tmp_path / "plain.pth")
    with pytest.raises(CheckpointError, match="holds one style"):
        load(f"{tmp_path / 'plain.pth'}#style=0")
    with pytest.raises(UsageError, match="is no choice"):
        load(f"{tmp_path / 'plain.pth'}#style=all")
    result = sttk("export", f"{tmp_path / 'net.pth'}#style=1", "--size", "32", "-o", tmp_path / "o")
    assert result.exit_code == 0, result.output
    assert sttk("parity", tmp_path / "o", "--regime", "photo").exit_code == 0


def test_plain_nets_hold_none():
    for fork in FORKS.values():
        assert styles_of(weights(fork)) == 0
