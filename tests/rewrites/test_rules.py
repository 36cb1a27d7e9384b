"""The table of rewrites, against its modules and the targets that ask for them."""

from __future__ import annotations

import pytest

from sttk.exporters import exporter
from sttk.toolkit import targets
from sttk.toolkit.core.contract import PRECISIONS
from sttk.toolkit.rewrites.rules import NAMES, rule


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_a_module_with_what_a_rewrite_needs(name):
    assert name == rule(name).NAME
    assert set(rule(name).PRECISIONS) <= set(PRECISIONS)
    assert callable(rule(name).rewrite)


@pytest.mark.parametrize("target", targets.NAMES)
def test_targets_ask_for_rewrites_that_there_are(target):
    assert set(exporter(target).rewrites) <= set(NAMES)
