"""What tests share is built once, and is what was built."""

from __future__ import annotations

import os
import threading

import pytest

from tests.built import Built


@pytest.fixture
def builder():
    """Writes a file, and counts how often it was asked to."""

    class Builder:
        calls = 0

        def __call__(self, folder):
            self.calls += 1
            (folder / "style").mkdir()
            (folder / "style/model").write_text("weights")
            return folder / "style"

    return Builder()


def test_each_request_is_built_once(tmp_path, builder):
    made = Built(tmp_path, "now").get("onnx 64x96", builder)
    assert Built(tmp_path, "now").get("onnx 64x96", builder) == made
    assert builder.calls == 1
    assert (made / "model").read_text() == "weights"
    assert Built(tmp_path, "now").get("onnx 32x32", builder) != made
    assert builder.calls == 2


@pytest.mark.parametrize("name", ["style/model", "style/more"])
def test_what_a_test_has_changed_is_built_anew(tmp_path, builder, name):
    built = Built(tmp_path, "now")
    (built.get("onnx", builder).parent / name).write_text("trace")
    made = built.get("onnx", builder)
    assert builder.calls == 2
    assert [path.read_text() for path in made.iterdir()] == ["weights"]


def test_what_other_sources_made_goes_when_nobody_can_be_using_it(tmp_path, builder):
    old = Built(tmp_path, "before")
    before = old.get("onnx", builder)
    after = Built(tmp_path, "after").get("onnx", builder)
    assert builder.calls == 2
    assert before.exists(), "a run of those sources may be going on"
    os.utime(old.root, (0, 0))
    Built(tmp_path, "after")
    assert after.exists()
    assert not before.exists()


def test_a_build_that_fails_is_no_build(tmp_path, builder):
    def fails(folder):
        builder(folder)
        raise OSError("disk full")

    built = Built(tmp_path, "now")
    with pytest.raises(OSError, match="disk full"):
        built.get("onnx", fails)
    built.get("onnx", builder)
    assert builder.calls == 2


def test_who_comes_second_waits_for_the_first(tmp_path, builder):
    entered, go = threading.Event(), threading.Event()

    def slowly(folder):
        entered.set()
        assert go.wait(200)
        return builder(folder)

    found = []
    first = threading.Thread(target=lambda: found.append(Built(tmp_path, "now").get("a", slowly)))
    second = threading.Thread(target=lambda: found.append(Built(tmp_path, "now").get("a", builder)))
    first.start()
    assert entered.wait(200)
    second.start()
    second.join(0.2)
    assert found == []
    go.set()
    first.join(200)
    second.join(200)
    assert builder.calls == 1
    assert found[0] == found[1]
