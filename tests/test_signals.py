"""Signals as a wish; each in a process of its own: a worker of the tests may not be sent any."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMON = """
import signal
from sttk.toolkit.host.signals import stop_wish

class Ended(KeyboardInterrupt):
    pass

def end(*_):
    raise Ended
"""
HANDLERS_COME_BACK = """
before = signal.getsignal(signal.SIGINT)
with stop_wish() as wish:
    assert signal.getsignal(signal.SIGINT) is not before
    signal.raise_signal(signal.SIGINT)
    assert wish.wait(5)
    assert signal.getsignal(signal.SIGINT) is before  # a second one does what it always did
assert signal.getsignal(signal.SIGINT) is before
"""
EACH_IS_OBEYED_BY_ITS_KIND = """
signal.signal(signal.SIGTERM, end)
for number, kind in (signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Ended):
    with stop_wish() as wish:
        signal.raise_signal(number)
        assert wish.wait(5)
        try:
            wish.obey()
        except kind as error:
            assert type(error) is kind
        else:
            raise SystemExit("nothing was raised")
"""
WITHOUT_A_HANDLER_IT_IS_AN_INTERRUPT = """
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with stop_wish() as wish:
    signal.raise_signal(signal.SIGTERM)
    try:
        wish.obey()
    except KeyboardInterrupt:
        raise SystemExit(0)
raise SystemExit(1)
"""
WHAT_IS_IGNORED_STAYS_SO = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
with stop_wish() as wish:
    signal.raise_signal(signal.SIGINT)
    assert not wish.is_set()
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
"""
A_CALLBACK_LOSES_NONE = """
import weakref

class Thing:
    pass

with stop_wish() as wish:
    thing = Thing()
    kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # an exception would be printed, and lost
    assert wish.is_set()
"""
SIGTERM_TWICE_IS_ONE = """
from sttk.toolkit.host import signals

signal.signal(signal.SIGTERM, end)
with stop_wish() as wish:
    signal.raise_signal(signal.SIGTERM)
    assert wish.wait(5)
    signal.raise_signal(signal.SIGTERM)  # as timeout(1) does
assert signal.getsignal(signal.SIGTERM) is end
signals.ONE_SIGNAL = 0.0
with stop_wish() as wish:
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
