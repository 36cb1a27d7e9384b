from __future__ import annotations

import json
import os
import pickle
from collections import OrderedDict

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import CheckpointError
from sttk.toolkit.io.files import sha256
from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec

WIDTHS = (2, 3, 5)


def pytorch_examples(net: JohnsonNet) -> OrderedDict[str, torch.Tensor]:
    """The net's weights under the names of pytorch/examples, written out by hand."""
    plain = {"conv1": "conv1", "conv2": "conv2", "conv3": "conv3"}
    plain |= {"up1": "deconv1", "up2": "deconv2", "head": "deconv3"}
    state = OrderedDict()
    for key, value in net.state_dict().items():
        parts = key.split(".")
        if parts[0] == "blocks":
            layer = parts[2].replace("norm", "in") + (".conv2d" if "conv" in parts[2] else "")
            state[f"res{int(parts[1]) + 1}.{layer}.{parts[-1]}"] = value
        elif parts[0] in plain:
            state[f"{plain[parts[0]]}.conv2d.{parts[-1]}"] = value
        else:
            state[f"{parts[0].replace('norm', 'in')}.{parts[-1]}"] = value
    return state


@pytest.fixture
def johnson() -> JohnsonNet:
    torch.manual_seed(0)
    return JohnsonNet(JohnsonSpec(WIDTHS, blocks=2)).eval()


@pytest.fixture
def state(johnson):
    return pytorch_examples(johnson)


def same(net, johnson):
    x = torch.rand(1, 3, 21, 34) * 255
    return torch.equal(net(x), johnson(x).clamp(0, 255))


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_examples_of_any_width(tmp_path, johnson, state, zipped):
    path = tmp_path / "candy.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    net = load(path)
    assert net.net.spec == johnson.spec
    assert same(net, johnson)
    assert (net.origin.layout, net.origin.name) == ("pytorch-examples", "candy")
    assert net.origin.sha256 == sha256(path)
    assert net.contract == Contract()


def test_old_buffers_nests_and_data_parallel(tmp_path, johnson, state):
    path = tmp_path / "old.pth"
    for norm in ("in1", "res2.in1"):
        state[f"{norm}.running_mean"] = state[f"{norm}.running_var"] = torch.zeros(3)
    nested = {"epoch": 2, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    torch.save(nested, path)
    assert same(load(path), johnson)


def test_half_weights_and_plain_safetensors(tmp_path, johnson, state):
    path = tmp_path / "half.safetensors"
    save_file({key: value.half() for key, value in state.items()}, path)
    net = load(path)
    assert net.net.conv1.conv.weight.dtype == torch.float32
    assert torch.equal(net.net.head.conv.bias, johnson.head.conv.bias.half().float())


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_own_layout_comes_back_as_it_was(tmp_path, norm):
    path = tmp_path / "own.safetensors"
    net = JohnsonNet(JohnsonSpec(WIDTHS, 1, norm, "transposed", "tanh")).eval()
    contract = Contract(size_multiple=8, smallest_side=16)
    save_net(path, net, contract, {"painting": "a wave"})
    loaded = load(path, name="wave", source="style:wave")
    assert same(loaded, net)
    assert loaded.contract == contract
    assert loaded.origin.card == {"painting": "a wave"}
    assert (loaded.origin.name, loaded.origin.source) == ("wave", "style:wave")
    before = path.read_bytes()
    save_net(path, net, contract, {"painting": "a wave"})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("file", "card", "name"),
    [
        ("net.safetensors", {"name": "starry night"}, "starry-night"),
        ("net.safetensors", {"name": "星空 (2)"}, "星空-2"),
        ("net.safetensors", {"name": "../../etc/passwd"}, "etc-passwd"),
        ("net.safetensors", {"name": "x" * 500}, "x" * 80),
        ("net.safetensors", {"name": ".. "}, "net"),
        ("net.safetensors", {"name": 5}, "net"),
        ("net.safetensors", ["name"], "net"),
        ("net.safetensors", {}, "net"),
        ("mine.safetensors", {"name": "starry night"}, "mine"),
    ],
)
def test_the_net_of_a_run_is_named_after_its_style(tmp_path, file, card, name):
    save_net(tmp_path / file, JohnsonNet(JohnsonSpec(WIDTHS, 1)), Contract(), card)
    assert load(tmp_path / file).origin.name == name
    assert load(tmp_path / file, name="given").origin.name == "given"


def test_loaded_nets_are_frozen_and_in_evaluation_mode(tmp_path, state):
    torch.save(state, tmp_path / "x.pth")
    net = load(tmp_path / "x.pth")
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


def fails(path, *parts):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    for part in parts:
        assert part in text
    assert caught.value.exit_code == 2


def test_unknown_layout_names_layouts_and_keys(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({f"layer{i}.weight": torch.zeros(1) for i in range(9)}, path)
    fails(path, "layer0.weight, layer1.weight", "pytorch-examples", "rrmina", "lengstrom", "sttk")
    torch.save({"epoch": 3}, path)
    fails(path, "holds no tensors")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0, 1, 50, 0.5, 0.99])
def test_truncated_and_empty(tmp_path, state, zipped, kept):
    path = tmp_path / "x.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if isinstance(kept, int) else kept * len(content))])
    fails(path)


@pytest.mark.parametrize("content", [b"hello", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\x80\x02."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_of_another_kind(tmp_path, content, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    fails(path)


def test_missing(tmp_path):
    fails(tmp_path / "none.pth", "no such file")


@pytest.mark.parametrize("content", [[1, 2], "text", 7, torch.zeros(3)])
def test_not_a_dictionary(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    fails(tmp_path / "x.pth", "not a dictionary of tensors")


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("kind", ["zip", "old", "bare"])
def test_a_malicious_pickle_runs_nothing(tmp_path, state, kind):
    path, marker = tmp_path / "x.pth", tmp_path / "ran"
    content = {**state, "evil": Evil(marker)}
    if kind == "bare":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    refused = ("torch.save did not write",) if kind == "bare" else ("refused", "mkdir")
    fails(path, *refused)
    assert not marker.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path, state, value):
    state["in1.weight"][0] = value
    torch.save(state, tmp_path / "x.pth")
    fails(tmp_path / "x.pth", "NaN or infinity")


def test_broken_nets(tmp_path, state):
    path = tmp_path / "x.pth"
    torch.save({**state, "res1.conv1.conv2d.weight": torch.zeros(5, 4, 3, 3)}, path)
    fails(path, "a broken pytorch-examples net: ", "conv1.conv.weight is 5x4x3x3", "needs 5x5x3x3")
    del state["in5.bias"]
    torch.save(state, path)
    fails(path, "a broken pytorch-examples net: it lacks norm5.bias")


def test_another_net_is_not_called_a_broken_one(tmp_path, state):
    """As is a net with a norm of its own, under names that nobody else uses."""
    path = tmp_path / "x.model"
    names = {"weight": "stretch", "bias": "move"}
    old = {}
    for key, value in state.items():
        module, _, part = key.rpartition(".")
        old[f"{module}.{names[part]}" if ".in" in f".{module}" else key] = value
    torch.save(old, path)
    with pytest.raises(CheckpointError) as caught:
        load(path)
    first = next(key for key in old if key not in state)
    fit = len(old.keys() & state.keys())
    text = str(caught.value)
    assert "broken" not in text
    assert f"nearest is pytorch-examples: {fit} of {len(old)} keys fit, not {first};" in text
    torch.save({**state, "surprise\x1b" * 20: torch.zeros(1)}, path)
    fails(path, "nearest is pytorch-examples", "not surprise\\x1b", "...")


def test_a_net_without_its_last_layer(tmp_path, state):
    path = tmp_path / "x.pth"
    torch.save({key: value for key, value in state.items() if "deconv3" not in key}, path)
    fails(path, "all its keys are of pytorch-examples, which needs others")


def test_tensors_that_claim_more_than_the_file_holds(tmp_path, state):
    path = tmp_path / "x.pth"
    state["conv1.conv2d.weight"] = torch.zeros(1).expand(1 << 20, 3, 9, 9)
    torch.save(state, path)
    fails(path, "conv1.conv2d.weight is not a plain tensor")
    state["conv1.conv2d.weight"] = torch.zeros(4, 3, 9, 9).to_sparse()
    torch.save(state, path)
    fails(path, "not a plain tensor")


def test_safetensors_with_broken_metadata(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {"a": torch.zeros(1)}
    save_file(tensors, path, metadata={"sttk": "{"})
    fails(path, "not a readable safetensors file")
    save_file(tensors, path, metadata={"sttk": '{"format": 99, "net": "johnson"}'})
    fails(path, "another sttk", "upgrade")
    for about in ('{"format": 1, "net": "johnson"}', '{"format": 1, "net": "johnson", "spec": {}}'):
        save_file(tensors, path, metadata={"sttk": about})
        fails(path, "do not agree")
    for about in ("[]", "[1]", "3", '"text"'):
        save_file(tensors, path, metadata={"sttk": about})
        fails(path)


def test_specs_and_contracts_that_mean_nothing(tmp_path, johnson):
    path = tmp_path / "x.safetensors"
    save_net(path, johnson, Contract(), {})
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["sttk"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    for part, field, value in (
        ("spec", "output", "sigmoid"),
        ("spec", "norm", "group"),
        ("spec", "blocks", 10**5),
        ("spec", "widths", [1, 2]),
        ("contract", "size_multiple", 0),
        ("contract", "smallest_side", "9"),
        ("contract", "output_range", [0]),
        ("contract", "channels", "BGR"),
    ):
        changed = {**about, part: {**about[part], field: value}}
        save_file(tensors, path, metadata={"sttk": json.dumps(changed)})
        fails(path, "do not agree")


def test_widths_that_no_tensor_backs_take_no_memory(tmp_path, state):
    # As dense float32 the blocks' convolutions would take 9 * 10**12 * 4 bytes.
    state["conv3.conv2d.weight"] = torch.zeros(10**6, 3, 1, 1)
    torch.save(state, tmp_path / "x.pth")
    fails(tmp_path / "x.pth", "broken pytorch-examples")
