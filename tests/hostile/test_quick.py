"""A few of the fuzzer's inputs of each kind, and what holds for any JSON and any bytes."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sttk.toolkit.artifact.manifest import FILE_NAME, Checkpoint, Manifest, Target
from sttk.toolkit.artifact.search import parse_manifest, read_entry
from sttk.toolkit.core.contract import Contract
from sttk.toolkit.core.errors import ArtifactError
from sttk.toolkit.core.shapes import Shapes
from sttk.toolkit.io.json_text import MOST_DEPTH, dumps, loads
from sttk.toolkit.opened.inspect import inspect
from sttk.toolkit.opened.verify import verify
from tests.hostile import artifacts, onnx_files
from tests.hostile.campaign import Campaign
from tests.hostile.kinds import KINDS, Kind
from tests.hostile.sample import Sample

_EACH = 8
_STEP = 7  # so that the numbers meet most of the mutations


def _artifact(scratch) -> Sample:
    """Without an export, which takes seconds."""
    manifest = Manifest(
        "net", "model.onnx", {"model.onnx": ""}, Checkpoint("net.pth", "0" * 64, "sttk"),
        Contract(), Target("onnx", "fp32", Shapes.any()), "exact", "exact",
    )  # fmt: skip
    files = {
        "a/model.onnx": onnx_files.small(),
        "a/manifest.json": dumps(manifest.to_dict()).encode(),
    }
    return artifacts.rehashed(Sample("a", files))


_KINDS = [kind for kind in KINDS if not kind.name.startswith(("artifact", "mlpackage"))]
_COMMANDS = next(kind.commands for kind in KINDS if kind.name == "artifact, ONNX")
_KINDS.append(Kind("artifact", (_artifact,), artifacts.OF_ONNX, _COMMANDS))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    made = Campaign(5, tmp_path_factory.mktemp("hostile"), 240)
    yield made
    made.close()


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.name)
def test_hostile_files_are_one_line_and_an_exit_code(kind, campaign):
    quick = {name: command for name, command in kind.commands.items() if "export" not in name}
    small = {name: change for name, change in kind.mutations.items() if "bomb" not in name}
    kind = dataclasses.replace(kind, commands=quick, mutations=small)
    bad = [str(one) for n in range(_EACH) for one in campaign.run(kind, n * _STEP)]
    assert not bad


def test_seeds_are_what_they_should_be(campaign):
    """Without this, all that is refused might be refused for nothing."""
    for kind in _KINDS:
        campaign.run(kind, 0)
        codes = campaign.by_mutation[kind.name, "none"].codes
        assert set(codes) == {"0"}, kind.name


_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=50)
@given(_JSON)
def test_json_comes_back(document):
    assert loads(dumps(document).encode()) == document


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 3000), st.booleans())
@example(depth=MOST_DEPTH, of_lists=True)
@example(depth=MOST_DEPTH + 1, of_lists=False)
def test_json_is_as_deep_as_it_may_be(depth, of_lists):
    opened, closed = (b"[", b"]") if of_lists else (b'{"a":', b"}")
    text = opened * depth + b"1" + closed * depth
    if depth <= MOST_DEPTH:
        assert json.loads(text) == loads(text)
    else:
        with pytest.raises(ValueError, match="nested deeper"):
            loads(text)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_field_of_a_manifest_may_be_anything(data, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "any-manifest"
    shutil.rmtree(folder, ignore_errors=True)
    _artifact(None).write(folder)
    folder = folder / "a"
    manifest = json.loads((folder / FILE_NAME).read_bytes())
    holder = manifest
    while True:
        key = data.draw(st.sampled_from(sorted(holder)))
        if not isinstance(holder[key], dict) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(_JSON)
    (folder / FILE_NAME).write_text(json.dumps(manifest))
    assert verify(read_entry(folder)).findings
    try:
        parse_manifest(folder)
    except ArtifactError:
        return
    assert inspect(folder)["kind"] == "artifact"
