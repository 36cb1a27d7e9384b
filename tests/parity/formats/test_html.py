from __future__ import annotations

import base64
import dataclasses
import io
import math
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from sttk.toolkit.parity.bisect.bisection import Bisection
from sttk.toolkit.parity.formats.html import html
from sttk.toolkit.parity.formats.junit import junit
from sttk.toolkit.parity.formats.markdown import markdown
from sttk.toolkit.parity.metrics import Difference
from sttk.toolkit.parity.pictures import Exhibit
from tests.parity.formats.conftest import EXACT

EMPTY = ("meta", "link", "img", "br")


class Page(HTMLParser):
    """Elements with their attributes, and text; every element that opens has to close."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def picture(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def shown(failing):
    full = Exhibit(picture("JPEG"), picture("JPEG"), picture("JPEG"), picture("PNG"), 2)
    rows = len(failing.report.rows)
    exhibits = (*[full] * (rows - 1), Exhibit(picture("JPEG"), None, None, None, 0))
    return dataclasses.replace(failing, exhibits=exhibits)


def test_nothing_is_loaded_and_nothing_runs(passing, shown, closed, unreadable, left_out):
    text = html([passing, shown, closed, unreadable, left_out])
    page = Page(text)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    assert "http" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_pictures_are_inlined_and_described(shown):
    images = Page(html([shown])).all("img")
    assert len(images) == 4 * 5 + 1
    for image in images:
        assert image["alt"].strip()
        data = base64.b64decode(image["src"].partition(",")[2])
        with Image.open(io.BytesIO(data)) as opened:
            assert opened.size == (4, 4)
    assert "difference, picture 2 of the batch cat 64x96" in [image["alt"] for image in images]


def test_what_failed_is_open_and_what_did_not_is_folded(shown):
    page = Page(html([shown]))
    folds = [each for each in page.all("details") if each.get("class") == "input"]
    assert ["open" in fold for fold in folds] == [True, True, False]


def test_links_lead_to_places_on_the_page(passing, shown):
    page = Page(html([passing, shown]))
    places = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(places) == len(set(places))
    links = [attributes["href"].removeprefix("#") for attributes in page.all("a")]
    assert len(links) == 2 + 6
    assert set(links) <= set(places)


def test_verdicts_and_figures_are_words(failing, left_out):
    text = " ".join("".join(Page(html([failing, left_out])).text).split())
    for words in (
        "FAIL parity fails for 1 of 2 models",
        "exact promised; 1 exact, 1 same style, 1 different, 1 ill-conditioned",
        "FAIL: only same style 24 0.50 50.0 130.0 60.0 0.50 0.000080 -1.3% 0.3% 0.990",
        "FAIL: conv1 fp32, not fp16",
        "coremltools is not installed",
    ):
        assert words in text


def test_styles_have_columns_where_they_were_compared(passing, failing):
    assert ">SSIM</th>" not in html([passing])
    assert ">SSIM</th>" in html([failing])


def test_errors_may_be_infinite_or_none(passing):
    infinite = Difference(math.inf, math.inf, -math.inf)
    row = dataclasses.replace(EXACT, found=infinite, border=Difference(0.0, 0.0, math.inf))
    report = dataclasses.replace(passing.report, rows=(row,))
    text = html([dataclasses.replace(passing, report=report)])
    cells = re.findall(r'<td class="number">(.*?)</td>', text)
    assert cells == ["infinite", "infinite", "-inf", "", "", "0", "0.00010"]


def test_tables_have_headers(shown):
    page = Page(html([shown]))
    assert all("scope" in header for header in page.all("th"))


@pytest.mark.parametrize("text", [html, junit, markdown])
def test_a_bisection_is_told_in_every_format(passing, text):
    found = dataclasses.replace(passing, bisection=Bisection("m.onnx", ()))
    assert "no block falls under its floor" in text([found])


def test_names_are_text(hostile):
    text = html([hostile])
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_same_run_makes_the_same_page(shown):
    assert html([shown]) == html([shown])
