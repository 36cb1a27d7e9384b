from __future__ import annotations

import numpy as np

from sttk import __version__
from sttk.toolkit.host import machine
from sttk.toolkit.host.machine import Gpu
from sttk.toolkit.parity.environment import environment


def test_versions_and_machine(monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: (Gpu("H100", "9.0", "580.1"),))
    facts = environment()
    assert facts["sttk"] == __version__
    assert facts["numpy"] == np.__version__
    assert facts["GPU"] == "H100, driver 580.1"
    assert "threads" in facts["CPU"]
    assert all(facts.values())
