"""The table of kinds: seeds, what is done to them, and the commands that get them.

A new kind is one line in ``KINDS``: a name, functions that make a valid sample each, mutations by
name beside those for files of every kind, and commands by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.hostile import (
    artifacts,
    checkpoints,
    onnx_files,
    phones,
    pictures,
    tensorflow,
    torch7,
    videos,
)  # fmt: skip
from tests.hostile.bytes_mutations import Mutation
from tests.hostile.sample import Sample


@dataclass(frozen=True)
class Places:
    """What a command line is made of.

    Attributes:
        target: the hostile file or folder.
        output: an empty folder for results.
        photo: a valid picture.
        checkpoint: a valid style net.
    """

    target: Path
    output: Path
    photo: Path
    checkpoint: Path


@dataclass(frozen=True)
class Command:
    """One command line; ``every``: it is given each n-th input, for those that take long."""

    arguments: Callable[[Places], list[str]]
    every: int = 1


@dataclass(frozen=True, eq=False)
class Kind:
    name: str
    seeds: tuple[Callable[[Path], Sample], ...]
    mutations: Mapping[str, Mutation]
    commands: Mapping[str, Command]


def _styled(places: Places) -> list[str]:
    return ["-o", str(places.output / "styled.png")]


INSPECT = Command(lambda places: ["inspect", str(places.target)])
INSPECT_JSON = Command(lambda places: ["inspect", "--json", str(places.target)], every=3)
VERIFY = Command(lambda places: ["verify", str(places.target)])
STYLIZE_WITH_CHECKPOINT = Command(
    lambda p: ["stylize", str(p.photo), "--checkpoint", str(p.target), *_styled(p)]
)
STYLIZE_WITH_ARTIFACT = Command(
    lambda p: ["stylize", str(p.photo), "--artifact", str(p.target), *_styled(p)]
)
STYLIZE_THE_PHOTO = Command(
    lambda p: ["stylize", str(p.target), "--checkpoint", str(p.checkpoint), *_styled(p)]
)
VIDEO = Command(
    lambda p: ["video", str(p.target), "-o", str(p.output / "styled.mp4"), "--runtime", "torch",
               "--checkpoint", str(p.checkpoint)]
)  # fmt: skip
EXPORT = Command(
    lambda p: ["export", str(p.target), "--target", "onnx", "--size", "32", "-o", str(p.output)],
    every=40,
)
_OF_CHECKPOINTS = {"inspect": INSPECT, "stylize --checkpoint": STYLIZE_WITH_CHECKPOINT,
                   "export --target onnx": EXPORT}  # fmt: skip
_OF_ARTIFACTS = {"inspect": INSPECT, "inspect --json": INSPECT_JSON, "verify": VERIFY,
                 "stylize --artifact": STYLIZE_WITH_ARTIFACT}  # fmt: skip
_OF_PICTURES = {"stylize PHOTO": STYLIZE_THE_PHOTO}


def _artifact(name: str, seed: Callable[[Path], Sample], mutations: Mapping[str, Mutation]) -> Kind:
    return Kind(f"artifact, {name}", (seed,), mutations, _OF_ARTIFACTS)


KINDS: tuple[Kind, ...] = (
    Kind("checkpoint, zip", (checkpoints.zip_seed,), checkpoints.OF_ZIPS, _OF_CHECKPOINTS),
    Kind("checkpoint, old", (checkpoints.old_seed,), checkpoints.OF_PICKLES, _OF_CHECKPOINTS),
    Kind("safetensors", (checkpoints.native_seed, checkpoints.plain_safetensors_seed),
         checkpoints.OF_SAFETENSORS, _OF_CHECKPOINTS),
    Kind("deeplearn.js folder", (checkpoints.folder_seed,), checkpoints.OF_FOLDERS,
         _OF_CHECKPOINTS),
    Kind("Torch7", (torch7.seed,), torch7.OF_TORCH7, _OF_CHECKPOINTS),
    Kind("TensorFlow", (tensorflow.bundle_seed, tensorflow.single_seed), tensorflow.OF_TENSORFLOW,
         _OF_CHECKPOINTS),
    Kind("ONNX file", (onnx_files.seed,), onnx_files.OF_ONNX, _OF_CHECKPOINTS),
    Kind("ONNX in two files", (onnx_files.two_files_seed,), onnx_files.OF_TWO_FILES,
         _OF_CHECKPOINTS),
    _artifact("ONNX", artifacts.of_target("onnx"), artifacts.OF_ONNX),
    _artifact("OpenVINO", artifacts.of_target("openvino"), artifacts.OF_OPENVINO),
    _artifact("engine", artifacts.engine, artifacts.OF_ENGINES),
    _artifact("ncnn", artifacts.of_target("ncnn"), phones.OF_NCNN),
    _artifact("LiteRT", artifacts.of_target("litert"), phones.OF_LITERT),
    _artifact("ExecuTorch", artifacts.of_target("executorch"), phones.OF_EXECUTORCH),
    _artifact("Core ML", artifacts.of_target("coreml"), artifacts.OF_COREML),
    Kind("mlpackage", (artifacts.package,), artifacts.OF_PACKAGES,
         {"inspect": INSPECT, "inspect --json": INSPECT_JSON}),
    *(Kind(f"picture, {name}", seeds, pictures.MUTATIONS[name], _OF_PICTURES)
      for name, seeds in pictures.SEEDS.items()),
    Kind("video", videos.SEEDS, videos.MUTATIONS, {"video": VIDEO}),
)  # fmt: skip
