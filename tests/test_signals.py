"""Stop requests; each in a process of its own: no signal may be sent to a worker of the tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMON = """
import signal
from sttk.toolkit.host.signals import stop_requests

class Ended(KeyboardInterrupt):
    pass

def end(*_):
    raise Ended
"""
HANDLERS_COME_BACK = """
before = signal.getsignal(signal.SIGINT)
with stop_requests() as stop:
    assert signal.getsignal(signal.SIGINT) is not before
    signal.raise_signal(signal.SIGINT)
    assert stop.wait(5)
    assert signal.getsignal(signal.SIGINT) is before  # a second one does what it always did
assert signal.getsignal(signal.SIGINT) is before
"""
EACH_IS_OBEYED_BY_ITS_KIND = """
signal.signal(signal.SIGTERM, end)
for number, kind in (signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Ended):
    with stop_requests() as stop:
        signal.raise_signal(number)
        assert stop.wait(5)
        try:
            stop.reraise()
        except kind as error:
            assert type(error) is kind
        else:
            raise SystemExit("nothing was raised")
"""
WITHOUT_A_HANDLER_IT_IS_AN_INTERRUPT = """
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with stop_requests() as stop:
    signal.raise_signal(signal.SIGTERM)
    try:
        stop.reraise()
    except KeyboardInterrupt:
        raise SystemExit(0)
raise SystemExit(1)
"""
WHAT_IS_IGNORED_STAYS_SO = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
with stop_requests() as stop:
    signal.raise_signal(signal.SIGINT)
    assert not stop.is_set()
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
"""
A_CALLBACK_LOSES_NONE = """
import weakref

class Thing:
    pass

with stop_requests() as stop:
    thing = Thing()
    kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # an exception would be printed, and lost
    assert stop.is_set()
"""
SIGTERM_TWICE_IS_ONE = """
from sttk.toolkit.host import signals

signal.signal(signal.SIGTERM, end)
with stop_requests() as stop:
    signal.raise_signal(signal.SIGTERM)
    assert stop.wait(5)
    signal.raise_signal(signal.SIGTERM)  # as timeout(1) does
assert signal.getsignal(signal.SIGTERM) is end
signals.ONE_SIGNAL = 0.0
with stop_requests() as stop:
    signal.raise_signal(signal.SIGTERM)
    try:
        signal.raise_signal(signal.SIGTERM)  # later it is another
    except Ended:
        raise SystemExit(0)
raise SystemExit(1)
"""
PROGRAMS = {name: text for name, text in globals().items() if name.isupper() and name != "COMMON"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_signals(name: str) -> None:
    command = [sys.executable, "-c", COMMON + PROGRAMS[name]]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
