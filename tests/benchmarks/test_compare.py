"""Then and now: refused, sure, or not sure."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sttk.benchmarks import compare
from sttk.benchmarks.compare import changed_software, changes, gone, read_results, slower
from sttk.benchmarks.rows import Results, Row
from sttk.toolkit.core.errors import UsageError
from sttk.toolkit.io.json_text import dumps
from tests.benchmarks.conftest import row, timing


def times(results, factor, spread=0.01):
    """The same results, every timing by ``factor``."""
    rows = tuple(
        replace(each, timing=timing(factor * each.seconds, spread=spread)) if each.timing else each
        for each in results.rows
    )
    return results.with_rows(rows)


def test_results_come_back_from_their_file(results, tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(dumps(results.to_dict()))
    assert read_results(path) == results


EMPTY = '{"style": {}, "environment": {}, "peaks": {}, "rows": [], "full": [], "equal": []}'


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"style": 1}', "\0", EMPTY])
def test_other_files_are_refused(text, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="not the results"):
        read_results(path)
    with pytest.raises(UsageError, match="No such file"):
        read_results(tmp_path / "none.json")


def test_what_is_no_file_or_too_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"not the results .*: no regular file"):
        read_results(tmp_path)
    path = tmp_path / "large.json"
    path.write_text("[" * 100 + "]" * 100)
    with pytest.raises(UsageError, match=r"not the results .*: nested deeper than"):
        read_results(path)
    monkeypatch.setattr(compare, "_MOST_BYTES", 100)
    with pytest.raises(UsageError, match=r"not the results .*: 200 bytes are more than 100"):
        read_results(path)


def test_the_same_is_not_slower(results):
    found = changes(results, results)
    assert [each.ratio for each in found] == [1.0, 1.0, 1.0]
    assert slower(found, 0.0) == []


def test_a_tenth_is_found_and_a_hundredth_of_noise_is_not(results):
    found = changes(times(results, 1.2), results)
    assert len(slower(found, 0.1)) == 3
    assert slower(found, 0.25) == []
    assert slower(changes(times(results, 1.01), results), 0.1) == []
    assert all(each.low <= each.ratio <= each.high for each in found)


def test_what_noise_could_be_is_not_called_slower(results):
    noisy = times(results, 1.12, spread=0.5)
    assert slower(changes(noisy, results), 0.1) == []


def test_another_machine_is_refused(results):
    here = results.environment
    machine = {**here["machine"], "threads used": 7}
    other = replace(results, environment={**here, "machine": machine})
    with pytest.raises(UsageError, match="threads used: 7 then, 2 now"):
        changes(results, other)


def test_other_versions_are_named(results):
    here = results.environment
    software = {**here["software"], "torch": "1.0", "numpy": None}
    del software["numpy"]
    other = replace(results, environment={**here, "software": software})
    said = changed_software(results, other)
    assert any(each.startswith("torch: 1.0 -> ") for each in said)
    assert any(each.startswith("numpy: none -> ") for each in said)


def test_rows_are_matched_by_what_they_are(results):
    other = results.with_rows((row("onnxruntime", 0.5, "int8"),))
    assert changes(results, other) == []
    lost = Row(results.rows[0].case, not_run="broken")
    now = results.with_rows((lost, *results.rows[1:]))
    assert gone(now, results) == [lost]


def test_json_is_plain(results):
    text = json.dumps(results.to_dict(), allow_nan=False)
    assert Results.from_dict(json.loads(text)) == results
