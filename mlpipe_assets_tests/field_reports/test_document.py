"""The table of field reports, held to the tests of this folder."""

import re
from pathlib import Path

from mlpipe_assets.settings import PROJECT_ROOT

AREAS = {"files", "time", "contracts", "drift", "leakage", "sensors", "command line", "catalog"}


def test_each_report_has_its_test_and_each_test_its_report() -> None:
    table = (PROJECT_ROOT / "docs" / "field-reports.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+)` \|$", table, re.MULTILINE)
    sources = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py"))]
    written = [name for text in sources for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)]

    about_the_table = {"test_each_report_has_its_test_and_each_test_its_report", "test_every_area_has_three_reports"}

    assert len(named) == len(set(named))
    assert set(named) == set(written) - about_the_table


def test_every_area_has_three_reports() -> None:
    table = (PROJECT_ROOT / "docs" / "field-reports.md").read_text(encoding="utf-8")
    areas = re.findall(r"^\| ([a-z ]+) \| [\w-]+/", table, re.MULTILINE)

    assert {area: areas.count(area) for area in AREAS if areas.count(area) < 3} == {}
