"""The chart in the README shows what was recorded; the README says the same in words."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from layerdoit.bench import results
from tools import docs, readme_chart

README = Path(__file__).resolve().parents[2] / "README.md"


def test_both_pictures_are_drawn_from_the_recorded_run() -> None:
    result = readme_chart.read(docs.MEASURED)
    every = results.every(result)
    for picture in readme_chart.files(docs.MEASURED).values():
        root = ET.fromstring(picture)  # noqa: S314 - of our making
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        for scenario in ("leaf", "deep", "bump"):
            for peer in ("mount", "layerdoit", "native"):
                assert f"{results.seconds_text(every[scenario, peer].median)} s" in texts
        assert f"{every['leaf', 'mount'].median / every['leaf', 'layerdoit'].median:.1f} × faster" in texts
        assert not re.search(r"url\(|href|@import", picture)


def test_the_readme_shows_them_and_says_the_same() -> None:
    text = README.read_text(encoding="utf-8")
    assert f'alt="{readme_chart.title(readme_chart.read(docs.MEASURED))}"' in text
    for name in readme_chart.files(docs.MEASURED):
        assert f"docs/{name}" in text
