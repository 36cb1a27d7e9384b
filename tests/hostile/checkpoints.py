"""Checkpoints: files of torch.save in both formats, safetensors, folders of raw tensors."""

from __future__ import annotations

import io
import json
import os
import pickle
import pickletools
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np
import torch
from safetensors.torch import save as save_safetensors

from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.nets.johnson import JohnsonNet, JohnsonSpec
from tests.conftest import random_johnson
from tests.hostile.bytes_mutations import Mutation
from tests.hostile.sample import Sample
from tests.hostile.values import INTEGERS, any_value, changed_json, deep, encoded, unruly_json

SPEC = JohnsonSpec(widths=(2, 3, 4), blocks=1)
# A file that hostile pickles make if they are run; a relative path, so it lies where sttk runs.
CANARY = "canary"
_DTYPES = (
    torch.float16, torch.float64, torch.bfloat16, torch.complex64, torch.int8, torch.int64,
    torch.bool, torch.uint16, torch.float8_e4m3fn, torch.float8_e5m2,
)  # fmt: skip


def pytorch_examples(net: JohnsonNet) -> dict[str, torch.Tensor]:
    """The net's weights under the names of pytorch/examples."""
    names = {"up1": "deconv1", "up2": "deconv2", "head": "deconv3"}
    state = {}
    for key, value in net.state_dict().items():
        parts = key.split(".")
        if parts[0] == "blocks":
            layer = parts[2].replace("norm", "in") + (".conv2d" if "conv" in parts[2] else "")
            state[f"res{int(parts[1]) + 1}.{layer}.{parts[-1]}"] = value
        elif parts[0].startswith("norm"):
            state[f"{parts[0].replace('norm', 'in')}.{parts[-1]}"] = value
        else:
            state[f"{names.get(parts[0], parts[0])}.conv2d.{parts[-1]}"] = value
    return state


def state() -> dict[str, torch.Tensor]:
    return pytorch_examples(random_johnson(SPEC))


def saved(content: Any, *, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    # The old format sorts tensors by their addresses, too: here they stay in their order.
    with mock.patch.object(torch.serialization, "sorted", list, create=True):
        torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    # The old format calls tensors by their addresses: numbers of the same length stand for them.
    names: dict[bytes, bytes] = {}

    def number(match: re.Match[bytes]) -> bytes:
        key = match[2]
        return match[1] + names.setdefault(key, b"%0*d" % (len(key), len(names)))

    address = rb"(X[\x0b-\x10]\0\0\0)(\d{11,16})(?=q|r|e|u)"
    return buffer.getvalue() if zipped else re.sub(address, number, buffer.getvalue())


def zip_seed(scratch: Path) -> Sample:
    return Sample("net.pth", {"net.pth": saved(state())})


def old_seed(scratch: Path) -> Sample:
    return Sample("net.pth", {"net.pth": saved(state(), zipped=False)})


def native_seed(scratch: Path) -> Sample:
    save_net(scratch / "net.safetensors", random_johnson(SPEC), Contract(), {"painting": "none"})
    return Sample(
        "net.safetensors", {"net.safetensors": (scratch / "net.safetensors").read_bytes()}
    )


def plain_safetensors_seed(scratch: Path) -> Sample:
    return Sample("net.safetensors", {"net.safetensors": save_safetensors(state())})


def folder_seed(scratch: Path) -> Sample:
    """lengstrom's net of widths 2, 3, 4 without a block."""
    random = np.random.default_rng(0)
    convolutions = [(9, 3, 2), (3, 2, 3), (3, 3, 4), (3, 4, 3), (3, 3, 2), (9, 2, 3)]
    shapes: list[tuple[int, ...]] = []
    for index, (side, taken, given) in enumerate(convolutions):
        ends = (given, taken) if index in (3, 4) else (taken, given)
        shapes += [(side, side, *ends), (given,), (given,)]
    names = ["Variable", *(f"Variable_{n}" for n in range(1, len(shapes)))]
    table = {n: {"filename": n, "shape": list(s)} for n, s in zip(names, shapes, strict=True)}
    files = {f"net/{n}": random.normal(0, 1, s).astype("<f4").tobytes()
             for n, s in zip(names, shapes, strict=True)}  # fmt: skip
    return Sample("net", {**files, "net/manifest.json": json.dumps(table).encode()})


# Mutations.


class Runs:
    """Unpickled by Python's own unpickler, it makes a folder of the name ``CANARY``."""

    def __init__(self, how: int) -> None:
        self.how = how

    def __reduce__(self) -> Any:
        write = f"open({CANARY!r}, 'w').close()"
        return (
            (os.mkdir, (CANARY,)),
            (eval, (write,)),
            (exec, (write,)),
            (os.system, (f"touch {CANARY}",)),
            (getattr, (os, "mkdir")),
        )[self.how % 5]


def of_a_state(change: Callable[[Random, dict[Any, Any]], Any]) -> Mutation:
    """The change, made to the weights before they are saved in the sample's own format."""

    def mutate(random: Random, sample: Sample) -> Sample:
        content = dict(state())
        changed = change(random, content)
        changed = content if changed is None else changed
        if sample.path.endswith(".safetensors"):
            plain = {str(k): v.contiguous() for k, v in changed.items() if torch.is_tensor(v)}
            try:
                return sample.with_file(sample.path, save_safetensors(plain))
            except (ValueError, RuntimeError, KeyError):  # a type or layout that it has not
                return sample
        zipped = sample.files[sample.path][:2] == b"PK"
        return sample.with_file(sample.path, saved(changed, zipped=zipped))

    return mutate


def not_numbers(random: Random, content: dict[Any, Any]) -> None:
    value = content[random.choice(list(content))]
    value.view(-1)[random.randrange(value.numel())] = random.choice(
        (float("nan"), float("inf"), float("-inf"), 3e38)
    )


def other_types(random: Random, content: dict[Any, Any]) -> None:
    keys = list(content)
    chosen = keys if random.random() < 0.5 else [random.choice(keys)]
    kind = random.choice(_DTYPES)
    for key in chosen:
        content[key] = content[key].to(kind)


def other_shapes(random: Random, content: dict[Any, Any]) -> None:
    key = random.choice(list(content))
    value = content[key]
    content[key] = random.choice(
        (
            value[:0], value.flatten(), value.reshape(*value.shape, 1), torch.zeros(()), value[:1],
            torch.zeros(0, 0, 0, 0), torch.zeros(1).expand(1 << 24), torch.zeros(1, 1, 1, 1),
            value.to_sparse(), torch.zeros(1 << 20, 3, 1, 1).half(), value.to("meta"),
            torch.zeros(5, 3, 0, 0), torch.zeros(*(1,) * 40),
        )
    )  # fmt: skip


def quantised(random: Random, content: dict[Any, Any]) -> None:
    key = random.choice(list(content))
    content[key] = torch.quantize_per_tensor(content[key], 0.1, 0, torch.qint8)


def other_keys(random: Random, content: dict[Any, Any]) -> Any:
    key = random.choice(list(content))
    new = random.choice(
        (7, None, (), ("a", 1), "x" * 5000, "\ud7ff", "module." * 50 + key, f"res9999.{key}",
         f"res{10**30}.conv1.conv2d.weight", "\x1b[31m\n", -0.5, True, f"{key}\n", f"{key}.weight")
    )  # fmt: skip
    content[new] = content.pop(key)
    nest = random.choice(("state_dict", "model", "net", "model_state_dict", None, None))
    return {nest: content, "epoch": 1} if nest else content


def with_blocks(random: Random, content: dict[Any, Any]) -> None:
    """Keys that speak of many blocks, each of a few bytes."""
    for block in range(2, random.choice((50, 3000))):
        content[f"res{block}.in1.bias"] = torch.zeros(1)


def runs_code(random: Random, sample: Sample) -> Sample:
    content = {**state(), "evil": Runs(random.randrange(5))}
    if sample.path.endswith(".safetensors"):
        # Plain pickles of tensors hold addresses, which are others each time.
        return sample.with_file(sample.path, saved(content, zipped=True))
    form = random.randrange(3)
    if form == 2:
        numbers = {key: value for key, value in content.items() if key == "evil"}
        data = pickle.dumps(numbers, protocol=random.randrange(6))
    else:
        data = saved(content, zipped=form == 0)
    return sample.with_file(sample.path, data)


def hash_that_never_ends(random: Random, sample: Sample) -> Sample:
    """Keys of tuples in tuples, the same on both sides: 2**n of them to hash or to print."""
    depth = random.choice((12, 18))
    key: Any = ("a",)
    for _ in range(depth):
        key = (key, key)
    zipped = sample.files[sample.path][:2] == b"PK"
    return sample.with_file(sample.path, saved({**state(), key: torch.zeros(1)}, zipped=zipped))


def _entries(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries.items():
            # Named alone, an entry would have the time of day in it.
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def zip_bomb(random: Random, sample: Sample) -> Sample:
    """Entries that are short in the file and long in memory."""
    entries = _entries(sample.files[sample.path])
    name = random.choice(sorted(entries))
    entries[name] = entries[name][:40] + bytes(random.choice((1 << 20, 200 << 20)))
    return sample.with_file(sample.path, _zipped(entries, zipfile.ZIP_DEFLATED))


def zip_entries(random: Random, sample: Sample) -> Sample:
    """Entries missing, changed, renamed."""
    entries = _entries(sample.files[sample.path])
    name = random.choice(sorted(entries))
    act = random.randrange(4)
    content = entries.pop(name)
    if act == 1:
        entries["net/../../" + CANARY] = content
    elif act == 2:
        entries[name] = random.randbytes(random.randrange(100))
    elif act == 3:
        entries[name] = content + bytes(random.choice((1, 64, 4096)))
    return sample.with_file(sample.path, _zipped(entries))


def pickle_numbers(random: Random, sample: Sample) -> Sample:
    """Sizes, offsets and strides in the pickle replaced by hostile ones."""

    def change(data: bytes) -> bytes:
        found = [
            (at, at + 2)
            for code, _, at in _codes(data)
            if code.name == "BININT1" and at is not None
        ]
        for start, end in sorted(random.sample(found, min(len(found), random.choice((1, 1, 4)))),
                                 reverse=True):  # fmt: skip
            number = random.choice(INTEGERS)
            raw = number.to_bytes(9, "little", signed=True)
            data = data[:start] + b"\x8a\x09" + raw + data[end:]
        return data

    return _in_the_pickle(sample, change)


_GLOBALS = (
    b"torch._utils\n_rebuild_sparse_tensor", b"torch._utils\n_rebuild_qtensor",
    b"torch._utils\n_rebuild_meta_tensor_no_storage", b"torch._utils\n_rebuild_parameter",
    b"torch._utils\n_rebuild_tensor", b"torch._utils\n_rebuild_wrapper_subclass",
    b"torch\nComplexDoubleStorage", b"torch\nQInt8Storage", b"torch\nBoolStorage",
    b"torch\nByteStorage", b"torch\nBFloat16Storage", b"torch.storage\nUntypedStorage",
    b"torch\nSize", b"torch\nTensor", b"torch.nn.parameter\nParameter", b"torch\ndevice",
    b"collections\nCounter", b"collections\nOrderedDict", b"builtins\nbytearray", b"os\nsystem",
    b"posix\nmkdir", b"builtins\neval", b"torch\nload", b"torch.serialization\nload", b"\n",
    b"torch\nfloat8_e4m3fn", b"torch._tensor\n_rebuild_from_type_v2", b"builtins\nset",
)  # fmt: skip


def pickle_names(random: Random, sample: Sample) -> Sample:
    """What the pickle calls to make tensors, replaced by something else."""

    def change(data: bytes) -> bytes:
        found = [at for code, _, at in _codes(data) if code.name == "GLOBAL" and at is not None]
        if not found:
            return data
        at = random.choice(found)
        end = data.index(b"\n", data.index(b"\n", at) + 1)
        return data[: at + 1] + random.choice(_GLOBALS) + data[end:]

    return _in_the_pickle(sample, change)


def pickle_codes(random: Random, sample: Sample) -> Sample:
    """One opcode removed, or another put before it."""

    def change(data: bytes) -> bytes:
        places = [at for _, _, at in _codes(data) if at is not None]
        at = random.choice(places)
        code = random.choice(pickletools.opcodes).code.encode("latin-1")
        return data[:at] + code + data[at + random.randrange(2) :]

    return _in_the_pickle(sample, change)


def _codes(data: bytes) -> Any:
    try:
        yield from pickletools.genops(data)
    except Exception:
        return


def _in_the_pickle(sample: Sample, change: Callable[[bytes], bytes]) -> Sample:
    content = sample.files[sample.path]
    if content[:2] == b"PK":
        entries = _entries(content)
        (name,) = (name for name in entries if name.endswith("data.pkl"))
        entries[name] = change(entries[name])
        return sample.with_file(sample.path, _zipped(entries))
    # An old file is five pickles, of which the fourth is the content.
    stream, start = io.BytesIO(content), 0
    for _ in range(3):
        list(pickletools.genops(stream))
        start = stream.tell()
    list(pickletools.genops(stream))
    end = stream.tell()
    return sample.with_file(
        sample.path, content[:start] + change(content[start:end]) + content[end:]
    )


_STARTS = (
    b"version https://git-lfs.github.com/spec/v1\n", b"<!DOCTYPE html>", b'{"error":', b"PK\3\4",
    b"PK\5\6" + bytes(18), b"\3\0\0\0\1\0\0\0\2\0\0\0\2\0\0\0", b"\x89HDF\r\n\x1a\n", b"....TFL3",
    b"\x08\1\x12\x20\n\x10\n\5image", b"\x08\x09\x12\7pytorch", b"\n\5candy\xa2\6", b"\x80\4\x95",
    b"\n\x20\n\5image\x12\x0bPlaceholder", b"\xff\xd8\xff\xe0", b"\x1f\x8b\x08", b"\x1b[31m",
    bytes(2000),
)  # fmt: skip
_ENTRIES = (
    "constants.pkl",
    "archive_format",
    "w.npy",
    "code/" * 13_000 + ".py",
    "../x",
    "data.pkl",
)


def another_kind(random: Random, sample: Sample) -> Sample:
    """What begins as another format does, and anything after it; other programs' archives."""
    if random.random() < 0.3:
        names = random.sample(_ENTRIES, random.randrange(1, 4))
        content = _zipped({name: random.randbytes(9) for name in names})
        return sample.with_file(sample.path, content[: random.choice((len(content), 40))])
    content = random.choice(_STARTS) + random.randbytes(random.choice((0, 7, 5000)))
    end = bytes.fromhex("57fb808b247547db") if random.random() < 0.1 else b""
    return sample.with_file(sample.path, content + end)


def safetensors_header(random: Random, sample: Sample) -> Sample:
    return _with_header(sample, lambda header: changed_json(random, header))


def safetensors_unruly(random: Random, sample: Sample) -> Sample:
    return _with_header(sample, lambda header: unruly_json(random, header))


def safetensors_length(random: Random, sample: Sample) -> Sample:
    """The header's length is a lie."""
    content = sample.files[sample.path]
    lies = (0, 1, 8, 100_000_001, 1 << 40, (1 << 64) - 1, len(content) - 8, len(content))
    return sample.with_file(sample.path, struct.pack("<Q", random.choice(lies)) + content[8:])


def safetensors_about(random: Random, sample: Sample) -> Sample:
    """sttk's own metadata, which says what the tensors are, changed."""

    def change(raw: bytes) -> bytes:
        header = json.loads(raw)
        about = header.get("__metadata__", {"sttk": "{}"})
        if random.random() < 0.2:
            about["sttk"] = unruly_json(random, about["sttk"].encode()).decode("utf-8", "replace")
        elif random.random() < 0.2:
            about["sttk"] = json.dumps(
                {"format": 1, "net": any_value(random), "card": deep(300, of_lists=False)}
            )
        else:
            about["sttk"] = changed_json(random, about["sttk"].encode()).decode("utf-8", "replace")
        return encoded({**header, "__metadata__": about})

    return _with_header(sample, change)


def _with_header(sample: Sample, change: Callable[[bytes], bytes]) -> Sample:
    content = sample.files[sample.path]
    (length,) = struct.unpack_from("<Q", content)
    header = change(content[8 : 8 + length])
    return sample.with_file(
        sample.path, struct.pack("<Q", len(header)) + header + content[8 + length :]
    )


def folder_manifest(random: Random, sample: Sample) -> Sample:
    name = f"{sample.path}/manifest.json"
    return sample.with_file(name, changed_json(random, sample.files[name]))


def folder_unruly(random: Random, sample: Sample) -> Sample:
    name = f"{sample.path}/manifest.json"
    return sample.with_file(name, unruly_json(random, sample.files[name]))


def folder_numbers(random: Random, sample: Sample) -> Sample:
    name = random.choice([n for n in sample.files if "Variable" in n])
    values = np.frombuffer(sample.files[name], "<f4").copy()
    values[random.randrange(values.size)] = random.choice((np.nan, np.inf, -np.inf, 3e38))
    return sample.with_file(name, values.tobytes())


OF_STATES = {
    "not numbers": of_a_state(not_numbers),
    "other types": of_a_state(other_types),
    "other shapes": of_a_state(other_shapes),
    "other keys": of_a_state(other_keys),
    "many blocks": of_a_state(with_blocks),
    "runs code": runs_code,
    "another kind": another_kind,
}
OF_PICKLES = {
    **OF_STATES,
    "quantised": of_a_state(quantised),
    "long hash": hash_that_never_ends,
    "pickle numbers": pickle_numbers,
    "pickle names": pickle_names,
    "pickle codes": pickle_codes,
}
OF_ZIPS = {**OF_PICKLES, "zip bomb": zip_bomb, "zip entries": zip_entries}
OF_SAFETENSORS = {
    **OF_STATES,
    "header": safetensors_header,
    "header unruly": safetensors_unruly,
    "header length": safetensors_length,
    "metadata": safetensors_about,
}
OF_FOLDERS = {
    "manifest": folder_manifest,
    "manifest unruly": folder_unruly,
    "not numbers": folder_numbers,
}
