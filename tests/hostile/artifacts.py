"""Artifacts: a manifest that lies, files that are elsewhere, and models that were changed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from sttk.exporters.artifact import make_artifact
from sttk.exporters.base import ExportRequest
from sttk.toolkit.checkpoints import load
from sttk.toolkit.checkpoints.native import save_net
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.shapes import Shapes
from tests.conftest import random_johnson
from tests.hostile import onnx_files
from tests.hostile.bytes_mutations import CHANGES, Change, Mutation
from tests.hostile.checkpoints import SPEC
from tests.hostile.sample import Sample
from tests.hostile.values import INTEGERS, TEXTS, changed_json, changed_message, unruly_json

MANIFEST = "manifest.json"
_SIZE = (32, 32)


def tree(folder: Path, name: str) -> Sample:
    files = {
        f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Sample(name, files)


def exported(target: str, scratch: Path) -> Path:
    """An artifact of a tiny net, whose checkpoint lies in ``scratch``."""
    save_net(scratch / "net.safetensors", random_johnson(SPEC), Contract(), {})
    shapes = Shapes.any() if target == "onnx" else Shapes.fixed(*_SIZE)
    return make_artifact(
        target, ExportRequest(load(scratch / "net.safetensors"), shapes=shapes), scratch
    )


def _portable(sample: Sample) -> Sample:
    """With a checkpoint of no machine's own place, so that a seed makes the same files again."""
    manifest = json.loads(sample.files[f"{sample.path}/{MANIFEST}"])
    manifest["checkpoint"]["source"] = "net.safetensors"
    return _with_manifest(sample, manifest)


def of_target(target: str) -> Callable[[Path], Sample]:
    def make(scratch: Path) -> Sample:
        return _portable(tree(exported(target, scratch), "artifact"))

    return make


def engine(scratch: Path) -> Sample:
    """The header that an engine of TensorRT for RTX has, and the text of one convolution."""
    text = (
        b'\n  tensor=\x7b name="x" type=half \x7d\n  tensor=\x7b name="w" type=half \x7d'
        b'\n  corrltn=\x7b name="conv" output=\x7b"y"\x7d input=\x7b"x", "w"\x7d\n'
    )
    body = bytearray(b"vtrt" + bytes(20) + bytes((1, 7, 1, 116)) + bytes(4) + struct.pack("<I", 6))
    struct.pack_into("<Q", body, 16, len(body) + len(text))
    sample = of_target("onnx")(scratch)
    manifest = json.loads(sample.files[f"artifact/{MANIFEST}"])
    manifest |= {"model": "model.engine", "graph": "model.onnx"}
    made = sample.with_file("artifact/model.engine", bytes(body) + text)
    return rehashed(_with_manifest(made, manifest))


def _with_manifest(sample: Sample, manifest: Any) -> Sample:
    return sample.with_file(f"{sample.path}/{MANIFEST}", json.dumps(manifest).encode())


def rehashed(sample: Sample) -> Sample:
    """A manifest that names the files as they are: whoever sends a model can write one."""
    manifest = json.loads(sample.files[f"{sample.path}/{MANIFEST}"])
    start = len(sample.path) + 1
    manifest["files"] = {
        name[start:]: hashlib.sha256(sample.files[name]).hexdigest()
        for name in sample.below
        if name != f"{sample.path}/{MANIFEST}"
    }
    return _with_manifest(sample, manifest)


def of_the_manifest(change: Change) -> Mutation:
    def mutate(random: Random, sample: Sample) -> Sample:
        name = f"{sample.path}/{MANIFEST}"
        return sample.with_file(name, change(random, sample.files[name]))

    return mutate


def _of_fields(change: Callable[[Random, Any], None]) -> Mutation:
    def to_bytes(random: Random, content: bytes) -> bytes:
        manifest = json.loads(content)
        change(random, manifest)
        return json.dumps(manifest).encode("utf-8", "surrogatepass")

    return of_the_manifest(to_bytes)


_ELSEWHERE = (
    "/etc/passwd", "/", "/proc/self/mem", "/dev/zero", "/dev/stdin", "../../../../../../etc/passwd",
    "..", ".", "", "artifact/../../..", "\0", "\ud800", "x" * 5000, "a/" * 3000, "net.safetensors",
    "link", "link/link", "style:ink", "style:../../x", "net.onnx#style=3", "~", "/sys", "/usr",
)  # fmt: skip


def _paths(random: Random, manifest: Any) -> None:
    """Files, the model, the graph or the checkpoint in another place."""
    place = random.choice(_ELSEWHERE)
    act = random.randrange(5)
    if act == 0:
        manifest["files"] = {**manifest["files"], place: "0" * 64}
    elif act == 1:
        manifest["model"] = place
        if random.random() < 0.5:
            manifest["files"] = {**manifest["files"], place: "0" * 64}
    elif act == 2:
        manifest["graph"] = place
        manifest["files"] = {**manifest["files"], place: "0" * 64}
    else:
        manifest["checkpoint"]["source"] = place


def _fields(random: Random, manifest: Any) -> None:
    """Sizes, contract, plan, proof: each of its own kind, and wrong."""
    random.choice((_sizes, _contract, _plan, _proof, _names, _words))(random, manifest)


def _sizes(random: Random, manifest: Any) -> None:
    two = [random.choice(INTEGERS), random.choice(INTEGERS)]
    changes = ({"sizes": [two]}, {"least": [1, 1], "most": two}, {"batch": two[0]})
    manifest["target"]["shapes"] |= random.choice(changes)


def _contract(random: Random, manifest: Any) -> None:
    name = random.choice(("size_multiple", "smallest_side"))
    manifest["contract"][name] = random.choice((*INTEGERS, 1024))


def _plan(random: Random, manifest: Any) -> None:
    manifest["plan"] = {"default": "fp32", random.choice(TEXTS): "fp16"}


def _proof(random: Random, manifest: Any) -> None:
    said, why = random.choice(TEXTS), random.choice(TEXTS)
    manifest["parity"] = {"passed": True, "model_sha256": said, "not_run": why}
    manifest["quantization"] = {"coverage": random.choice(INTEGERS)}


def _names(random: Random, manifest: Any) -> None:
    """With a proof, so that the digest of all names is taken."""
    manifest["parity"] = {"passed": True, "model_sha256": "0" * 64}
    manifest["files"] = {**manifest["files"], random.choice(TEXTS): "0" * 64}


def _words(random: Random, manifest: Any) -> None:
    manifest["style"] = random.choice(TEXTS)
    manifest["rewrites"] = random.choice((["x"], "abc", ["phase-upsample"] * 1000, [[]]))


def links_out(random: Random, sample: Sample) -> Sample:
    """A file of the artifact is a link: out of it, to itself, or in a circle; or a stranger is."""
    name = random.choice(sample.below)
    short = name.rpartition("/")[2]
    act = random.randrange(6)
    if act == 0:  # outside, the right bytes
        moved = sample.with_file("outside", sample.files[name]).without(name)
        up = "../" * name.count("/")
        return dataclasses.replace(moved, links={name: f"{up}outside"})
    targets = {1: short, 2: "/etc/passwd", 3: "/dev/zero", 4: "nothing"}
    if act in targets:
        return dataclasses.replace(sample.without(name), links={name: targets[act]})
    folder = name.rpartition("/")[0]
    places = {"one": "two", "two": "one", "up": "..", "root": "/"}
    links = {f"{folder}/{name}": target for name, target in places.items()}
    return dataclasses.replace(sample, links=links)


def strangers(random: Random, sample: Sample) -> Sample:
    """More than there should be: other files, other artifacts, pipes, names of no text."""
    act = random.randrange(5)
    if act == 0:
        start = len(sample.path)
        inner = {f"{sample.path}/inner{k[start:]}": v for k, v in sample.files.items()}
        return dataclasses.replace(sample, files={**sample.files, **inner})
    if act == 1:
        return dataclasses.replace(sample, pipes=(f"{sample.path}/inner/{MANIFEST}",))
    if act == 2:
        return sample.with_file(f"{sample.path}/b\udcffd", b"x")
    if act == 3:
        return sample.with_file(f"{sample.path}/inner/{MANIFEST}", b"[" * 100_000)
    return dataclasses.replace(sample, holes={f"{sample.path}/inner/{MANIFEST}": 1 << 40})


def of_the_model(changes: dict[str, Change], suffix: str, *, known: bool) -> Mutation:
    """The model inside, changed; ``known``: by a manifest that names the changed bytes."""

    def mutate(random: Random, sample: Sample) -> Sample:
        names = [name for name in sample.below if name.endswith(suffix)]
        name = random.choice(names)
        content = changes[random.choice(sorted(changes))](random, sample.files[name])
        changed = sample.with_file(name, content)
        return rehashed(changed) if known else changed

    return mutate


def of_the_checkpoint(random: Random, sample: Sample) -> Sample:
    """The manifest's checkpoint is a file, a pipe, a link or a folder beside the artifact."""
    act = random.randrange(5)
    name = "net.safetensors"
    manifest = json.loads(sample.files[f"{sample.path}/{MANIFEST}"])
    manifest["checkpoint"]["source"] = f"../input/{name}"
    sample = _with_manifest(sample, manifest)
    if act == 0:
        return sample.with_file(name, b"others")
    if act == 1:
        return dataclasses.replace(sample, pipes=(name,))
    if act == 2:
        return dataclasses.replace(sample, holes={name: 1 << 40})
    if act == 3:
        return sample.with_file(f"{name}/b\udcffd", b"x")
    return dataclasses.replace(sample, links={name: random.choice((name, "/", "/dev/zero"))})


BYTES = {name: change for name, change in CHANGES.items() if name != "noise"}

OF_MANIFESTS: dict[str, Mutation] = {
    "manifest values": of_the_manifest(changed_json),
    "manifest unruly": of_the_manifest(unruly_json),
    "manifest paths": _of_fields(_paths),
    "manifest fields": _of_fields(_fields),
    "manifest bytes": of_the_manifest(
        lambda random, content: BYTES[random.choice(sorted(BYTES))](random, content)
    ),
    "links": links_out,
    "strangers": strangers,
    "its checkpoint": of_the_checkpoint,
}
OF_ONNX = {
    **OF_MANIFESTS,
    "model": of_the_model(BYTES, ".onnx", known=False),
    "model, bytes known": of_the_model(BYTES, ".onnx", known=True),
    "model, message known": of_the_model(onnx_files.CHANGES, ".onnx", known=True),
}


# OpenVINO.


def xml_numbers(random: Random, content: bytes) -> bytes:
    """A number, a word or an element of the XML in place of another."""
    parts = content.split(b'"')
    if len(parts) < 3:
        return content
    for _ in range(random.choice((1, 1, 3))):
        at = 1 + 2 * random.randrange(len(parts) // 2)
        if random.random() < 0.7:
            parts[at] = str(random.choice(INTEGERS)).encode()
        else:
            parts[at] = random.choice(parts[1::2])
    return b'"'.join(parts)


def xml_shapes(random: Random, content: bytes) -> bytes:
    places = [at for at in range(len(content)) if content.startswith(b"<dim>", at)]
    if not places:
        return content
    at = random.choice(places) + 5
    end = content.index(b"<", at)
    return content[:at] + str(random.choice(INTEGERS)).encode() + content[end:]


def xml_entities(random: Random, content: bytes) -> bytes:
    """A document type with entities: of files, and of themselves ten times over."""
    inner = b'<!DOCTYPE net [<!ENTITY a "x"><!ENTITY f SYSTEM "file:///etc/passwd">' + b"".join(
        b'<!ENTITY b%d "%s">' % (n, (b"&b%d;" % (n - 1) if n else b"&a;") * 10) for n in range(9)
    )
    return inner + b"]>" + content.replace(b"Parameter", b"&b8;&f;", 1)


def xml_nested(random: Random, content: bytes) -> bytes:
    depth = random.choice((100, 5000, 100_000))
    return b"<net>" * depth + content


XML: dict[str, Change] = {
    "numbers": xml_numbers,
    "shapes": xml_shapes,
    "entities": xml_entities,
    "nested": xml_nested,
    **BYTES,
}
OF_OPENVINO = {
    **OF_MANIFESTS,
    "model": of_the_model(XML, ".xml", known=False),
    "model known": of_the_model(XML, ".xml", known=True),
    "weights known": of_the_model(BYTES, ".bin", known=True),
}
OF_ENGINES = {**OF_MANIFESTS, "model known": of_the_model(BYTES, ".engine", known=True)}


# Core ML.

SPEC_NAME, WEIGHTS_NAME = "model.mlmodel", "weight.bin"


def package(scratch: Path) -> Sample:
    """The package alone."""
    return tree(exported("coreml", scratch) / "model.mlpackage", "model.mlpackage")


def changed_spec(random: Random, content: bytes) -> bytes:
    spec = _model_message()()
    spec.ParseFromString(content)
    changed_message(random, spec)
    return bytes(spec.SerializeToString())


def asks_for_much(random: Random, content: bytes) -> bytes:
    """Constants' shapes, in the types of what operations give."""
    spec = _model_message()()
    spec.ParseFromString(content)
    function = spec.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    operation = random.choice(block.operations)
    for output in operation.outputs:
        for axis in output.type.tensorType.dimensions:
            axis.constant.size = random.choice((0, 1, 1 << 20, 1 << 40, 1 << 62))
    if random.random() < 0.3:
        operation.type = random.choice(
            ("fill", "tile", "pad", "const", "range_1d", "constexpr_lut_to_dense", "x")
        )
    return bytes(spec.SerializeToString())


@functools.cache
def _model_message() -> Any:
    from sttk.toolkit.host.optional import imported
    from sttk.toolkit.io.streams import quiet_library

    with quiet_library():
        return imported("coremltools", "coreml").proto.Model_pb2.Model


def package_manifest(random: Random, content: bytes) -> bytes:
    """Manifest.json with items in other places."""
    manifest = json.loads(content)
    items = manifest["itemInfoEntries"]
    item = items[random.choice(sorted(items))]
    item[random.choice(("path", "path", "name", "author"))] = random.choice((*_ELSEWHERE, *TEXTS))
    return json.dumps(manifest).encode()


def _in_a_package(change: Change, suffix: str) -> Mutation:
    def mutate(random: Random, sample: Sample) -> Sample:
        (name,) = (name for name in sample.below if name.endswith(suffix))
        return sample.with_file(name, change(random, sample.files[name]))

    return mutate


def linked_data(random: Random, sample: Sample) -> Sample:
    """Data/ is a link to a folder outside the package."""
    files = {name.replace("model.mlpackage/Data", "outside"): c for name, c in sample.files.items()}
    targets = ("../outside", "/", ".", "nothing", "Data")
    return Sample(sample.path, files, links={f"{sample.path}/Data": random.choice(targets)})


def _one_of(changes: dict[str, Change]) -> Change:
    return lambda random, content: changes[random.choice(sorted(changes))](random, content)


OF_PACKAGES: dict[str, Mutation] = {
    "manifest values": _in_a_package(changed_json, "Manifest.json"),
    "manifest unruly": _in_a_package(unruly_json, "Manifest.json"),
    "manifest paths": _in_a_package(package_manifest, "Manifest.json"),
    "spec fields": _in_a_package(changed_spec, SPEC_NAME),
    "spec bytes": _in_a_package(_one_of(BYTES), SPEC_NAME),
    "spec shapes": _in_a_package(asks_for_much, SPEC_NAME),
    "weights": _in_a_package(_one_of(BYTES), WEIGHTS_NAME),
    "data linked": linked_data,
}
OF_COREML = {
    **OF_MANIFESTS,
    "package manifest known": of_the_model(
        {"values": changed_json, "paths": package_manifest}, "Manifest.json", known=True
    ),
    "spec known": of_the_model(
        {"fields": changed_spec, "shapes": asks_for_much, **BYTES}, SPEC_NAME, known=True
    ),
    "weights known": of_the_model(BYTES, WEIGHTS_NAME, known=True),
}
