"""Libraries that tell of themselves, in each way there is."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Callable

import pytest

from sttk.toolkit.io.streams import quiet_library

WAYS: dict[str, Callable[[], object]] = {
    "prints": lambda: sys.stdout.write("chatter"),
    "prints to stderr": lambda: sys.stderr.write("chatter"),
    "writes past Python": lambda: os.write(2, b"chatter"),
    "warns": lambda: warnings.warn("chatter", stacklevel=1),
    "logs": lambda: logging.getLogger("library").error("chatter"),
}


@pytest.fixture
def log():
    """What a user's own program logs into."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("always")
def test_a_library_is_quiet_within_and_heard_after(way, capfd, log, recwarn):
    def heard():
        out, err = capfd.readouterr()
        return "chatter" in out + err + log.getvalue() or bool(recwarn.list)

    with quiet_library():
        WAYS[way]()
    assert not heard()
    WAYS[way]()
    assert heard()


def test_what_it_raises_comes_through():
    with pytest.raises(ValueError, match="wrong"), quiet_library():
        raise ValueError("wrong")
    assert logging.root.manager.disable == 0
