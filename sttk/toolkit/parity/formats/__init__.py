"""The output formats of ``sttk parity``: one module each, with a function of the outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sttk.toolkit.parity.formats.html import html
from sttk.toolkit.parity.formats.junit import junit
from sttk.toolkit.parity.formats.markdown import markdown
from sttk.toolkit.parity.outcome import Outcome

FORMATS: dict[str, Callable[[Sequence[Outcome]], str]] = {
    "junit": junit,
    "markdown": markdown,
    "html": html,
}
