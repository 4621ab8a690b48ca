"""Metrics: what the lake holds as Prometheus reads it, and a board that asks for nothing that is not there."""

import json
import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from mlpipe_assets import metrics as module
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.cli import main
from mlpipe_assets.metrics import RememberedMetrics, lake_metrics
from mlpipe_assets.serving.http.counters import Metric, ServerCounters, render
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.champions import crowned_lake
from mlpipe_assets_tests.frames import refuse
from mlpipe_assets_tests.planted import day, publish_online

NOW = datetime(2026, 1, 9, tzinfo=UTC)
SOURCES = (
    "metrics.py",
    "serving/http/counters.py",
    "serving/http/server.py",
    "serving/push/metrics.py",
    "serving/answer_log.py",
)


def test_what_the_lake_holds_is_counted_and_dated(tmp_path: Path) -> None:
    catalog, lake, used = crowned_lake(tmp_path)
    publish_online(lake, catalog)
    refuse(lake, "features", "spend", day(6), problem="spend is negative", inputs="x")

    text = render(lake_metrics(lake, catalog, NOW))

    as_of = datetime(2026, 1, 7, tzinfo=UTC).timestamp()
    for line in (
        'mlpipe_table_partitions{table="interim/orders"} 6',
        'mlpipe_table_rows{table="interim/orders"} 12',
        'mlpipe_rows{table="interim/orders",count="quarantined"} 0',
        f'mlpipe_table_newest_seconds{{table="features/spend"}} {as_of:.0f}',
        'mlpipe_table_refused_days{table="features/spend"} 1',
        'mlpipe_table_late{table="features/spend"} 1',
        f'mlpipe_model_metric{{model="returning",version="{used.version}",metric="test_roc_auc"}} 1',
        f'mlpipe_online_as_of_seconds{{view="spend"}} {as_of:.0f}',
        'mlpipe_online_entities{view="spend"} 3',
        'mlpipe_metrics_failed{group="tables"} 0',
    ):
        assert line in text.splitlines(), line


def test_what_cannot_be_read_leaves_out_its_own_metrics_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, lake, _ = crowned_lake(tmp_path)
    publish_online(lake, catalog)
    (lake.root / "online" / "features" / "line.json").write_text("{")

    text = render(lake_metrics(lake, catalog, NOW))

    assert 'mlpipe_metrics_failed{group="online"} 1' in text
    assert 'mlpipe_metrics_failed{group="tables"} 0' in text
    assert "mlpipe_online_entities" not in text


def test_a_new_lake_has_metrics_too(lake: Lake, tmp_path: Path) -> None:
    catalog = crowned_lake(tmp_path / "other")[0]

    assert "mlpipe_metrics_made_seconds" in render(lake_metrics(lake, catalog, NOW))


def test_a_scrape_reads_the_lake_at_most_twice_a_minute(monkeypatch: pytest.MonkeyPatch, lake: Lake) -> None:
    looks: list[object] = []

    def look(*given: object) -> list[Metric]:
        looks.append(given)
        return []

    monkeypatch.setattr(module, "lake_metrics", look)
    remembered = RememberedMetrics(lake=lake, catalog=Catalog())

    remembered()
    remembered()
    assert len(looks) == 1
    remembered.seconds = 0.0
    remembered()
    assert len(looks) == 2


def test_text_is_escaped_and_numbers_lose_nothing() -> None:
    metric = Metric(
        name="m",
        kind="gauge",
        help="One\nline.",
        samples=[({"a": 'x"\\\ny'}, 0.1 + 0.2), ({}, float(2**53)), ({"a": ""}, 1)],
    )

    assert render([metric]).splitlines() == [
        "# HELP m One\\nline.",
        "# TYPE m gauge",
        'm{a="x\\"\\\\\\ny"} 0.30000000000000004',
        f"m {2**53}.0",
        'm{a=""} 1',
    ]


def test_a_histogram_adds_up() -> None:
    counters = ServerCounters()
    for seconds in (0.0005, 0.03, 99.0):
        counters.count("/x", 200, seconds)

    text = render(counters.metrics())

    assert 'mlpipe_request_seconds_bucket{route="/x",le="0.001"} 1' in text
    assert 'mlpipe_request_seconds_bucket{route="/x",le="5.0"} 2' in text
    assert 'mlpipe_request_seconds_bucket{route="/x",le="+Inf"} 3' in text
    assert 'mlpipe_request_seconds_count{route="/x"} 3' in text


def test_the_board_asks_for_metrics_that_there_are_and_for_all_of_them() -> None:
    package = files("mlpipe_assets")
    made = {
        name
        for source in SOURCES
        for name in re.findall(r'"(mlpipe_\w+)"', (package / source).read_text(encoding="utf-8"))
    }
    board = json.loads((package / "serving" / "grafana.json").read_text(encoding="utf-8"))

    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"mlpipe_\w+", target["expr"])
    }

    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} == made


def test_the_command_prints_or_replaces_a_file(
    tmp_path: Path, lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPIPE_DATA_DIR", str(lake.root))
    out = tmp_path / "mlpipe.prom"

    assert main(["metrics", "--out", str(out)]) == 0
    assert main(["metrics"]) == 0

    assert "mlpipe_metrics_failed" in out.read_text()
    assert "mlpipe_metrics_failed" in capsys.readouterr().out
    assert main(["metrics", "--out", str(tmp_path / "nowhere" / "x.prom")]) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
    assert main(["metrics", "--board"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "mlpipe"
