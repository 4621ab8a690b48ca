"""A prototype: the whole graph on a share of the entities, somewhere else, the same ones each time."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mlpipe_assets.automation.prototype import is_sampled, run_prototype
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.serving_log import serving_log
from mlpipe_assets.errors import LakeError, SettingsError
from mlpipe_assets.pipeline import build_graph
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import file_digests
from mlpipe_assets_tests.planted import day, drop_customers, drop_orders, planted_catalog
from mlpipe_assets_tests.readers.test_spreadsheet import sheets

_WHO = [f"c{n:03d}" for n in range(60)]
_SHARE = 0.2
_CHOSEN = [who for who in _WHO if is_sampled(who, _SHARE)]


def _shop(tmp_path: Path) -> tuple[Catalog, Lake]:
    catalog = planted_catalog(tmp_path / "sql")
    lake = Lake(data_dir=str(tmp_path / "data"))
    rows = [(f"{w}{n}", w, day(n), "1.00", "web") for w in _WHO for n in (1, 2, 3) if n != 2 or w not in _CHOSEN]
    drop_orders(lake, "orders_2026-01-03.csv", rows)  # on the second day, nobody of the sample orders
    drop_customers(lake, "customers_2026-01-01.csv", [(who, 30, "north", day(1)) for who in _WHO])
    return catalog, lake


def _define(catalog: Catalog, root: Path) -> dg.Definitions:
    settings = read_settings({"MLPIPE_DATA_DIR": str(root)})
    return build_graph(catalog, settings)


def test_the_same_entities_go_through_every_stage_and_the_lake_itself_is_not_touched(tmp_path: Path) -> None:
    catalog, lake = _shop(tmp_path)
    catalog = replace(catalog, sources=(*catalog.sources, serving_log))
    answered = lake.root / "raw/serving_log/2026-01-03.jsonl"  # of the real lake: a prototype is not held to it
    answered.parent.mkdir()
    answered.write_text('{"request_id":"one","answered_at":"2026-01-03T10:00:00Z"}\n')
    before = file_digests(lake.root, "raw", "interim", "features", "meta")

    made = run_prototype(lake, catalog, _SHARE, _define)

    assert 0 < len(_CHOSEN) < len(_WHO)
    assert made.summary.errors == []
    assert (made.rows_read, made.rows_kept) == (4 * len(_WHO) - len(_CHOSEN), 3 * len(_CHOSEN))
    small = Lake(data_dir=str(made.root))
    for n in (1, 2, 3):
        assert small.read("features", "spend", day(n))["customer_id"].to_list() == _CHOSEN
    assert not (small.root / "raw/serving_log").exists()
    assert small.read("interim", "customers", day(1))["customer_id"].to_list() == _CHOSEN
    assert file_digests(lake.root, "raw", "interim", "features", "meta") == before


def test_a_second_prototype_replaces_the_first(tmp_path: Path) -> None:
    catalog, lake = _shop(tmp_path)
    run_prototype(lake, catalog, 1.0, _define)

    made = run_prototype(lake, catalog, _SHARE, _define)

    rows = pl.concat([Lake(data_dir=str(made.root)).read("interim", "orders", day(n)) for n in (1, 2, 3)])
    assert sorted(rows["customer_id"].unique()) == _CHOSEN


def test_a_folder_that_is_not_a_prototype_is_not_emptied(tmp_path: Path) -> None:
    catalog, lake = _shop(tmp_path)
    mine = lake.root / "prototype" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("keep me")

    with pytest.raises(LakeError, match="is not a prototype's folder"):
        run_prototype(lake, catalog, _SHARE, _define)

    assert mine.read_text() == "keep me"


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(tmp_path: Path, share: float) -> None:
    catalog, lake = _shop(tmp_path)

    with pytest.raises(SettingsError, match="above 0 and up to 1"):
        run_prototype(lake, catalog, share, _define)


def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    catalog, lake = _shop(tmp_path)
    (lake.root / "raw" / "orders" / "orders_2026-01-04.parquet").write_bytes(b"PAR1 no")

    made = run_prototype(lake, catalog, _SHARE, _define)

    assert made.rows_kept == 3 * len(_CHOSEN)
    assert made.summary.errors == []


def test_a_larger_share_holds_every_entity_of_a_smaller_one() -> None:
    small = {who for who in _WHO if is_sampled(who, 0.1)}
    large = {who for who in _WHO if is_sampled(who, 0.5)}

    assert small < large


def _as_file(folder: Path, kind: str, rows: list[dict[str, str]]) -> None:
    name = f"orders_2026-01-03.{kind}"
    if kind == "xlsx":
        sheets(folder / name, cover=[["Report"]], data=[[*rows[0]], *([*row.values()] for row in rows)])
    elif kind == "parquet":
        pl.DataFrame(rows).write_parquet(folder / name)
    elif kind == "csv.gz":
        (folder / name).write_bytes(gzip.compress(pl.DataFrame(rows).write_csv().encode()))
    else:
        (folder / name).write_text(json.dumps(rows, indent=1) if kind == "json" else "".join(map(json.dumps, rows)))


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "json", "jsonl", "xlsx", "parquet"])
def test_a_sample_reads_files_as_a_run_does(tmp_path: Path, kind: str) -> None:
    catalog, lake = _shop(tmp_path)
    (csv,) = (lake.root / "raw" / "orders").glob("*.csv")
    rows = pl.read_csv(csv, infer_schema=False).to_dicts()
    if kind != "csv":
        csv.unlink()
        _as_file(csv.parent, kind, rows)

    made = run_prototype(lake, catalog, _SHARE, _define, lambda when: when <= day(1))

    assert made.summary.errors == []
    assert made.rows_kept == 3 * len(_CHOSEN)
    small = Lake(data_dir=str(made.root))
    assert sorted(small.read("interim", "orders", day(1))["order_id"]) == sorted(f"{who}1" for who in _CHOSEN)
