"""Where a source's rows come from, and declarations of it in the words of earlier versions."""

import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.catalog.loading import load_catalog
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.versions import placement_version, source_version
from mlpipe_assets.contracts.orders import Orders
from mlpipe_assets.readers.options import Limits
from mlpipe_assets.rules import contract_digest, digest

SPECIAL = Files(known_at=r"_(\d{8})", delimiter=";", records="data", limits=Limits(refused=5))
OLDER_FIELDS = (
    *("name", "key", "event_time", "ahead_within", "dedupe_within", "tolerance", "duplicate_tolerance", "empty_days"),
    *("known_at", "time_formats", "time_zone", "nulls", "delimiter", "records", "limits", "prepare"),
)
OLDER_PROJECT = """
from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.contracts.orders import Orders

orders = Source(
    name="orders", contract=Orders, key=("order_id",), event_time="order_ts", delimiter=";"
)
CATALOG = Catalog(sources=(orders,))
"""


@pytest.mark.parametrize("feed", [Files(), SPECIAL])
def test_the_version_of_a_source_of_files_is_the_one_it_had_when_it_held_their_fields_itself(feed: Files) -> None:
    source = replace(orders, feed=feed)

    held = {name: getattr(source.feed if hasattr(source.feed, name) else source, name) for name in OLDER_FIELDS}

    spelled = {name: repr(value) for name, value in held.items() if name != "prepare"} | {"prepare": "None"}
    assert source_version(source) == digest([spelled, contract_digest(Orders)])[:16]
    assert placement_version(source) == placement_version(orders)


def test_what_is_said_of_files_decides_the_version_of_the_source() -> None:
    versions = {source_version(replace(orders, feed=feed)) for feed in (Files(), Files(delimiter=";"), SPECIAL)}

    assert len(versions) == 3


def test_an_older_declaration_means_what_it_meant_and_hears_the_new_spelling() -> None:
    with pytest.warns(DeprecationWarning, match="source 'orders'") as told:
        older = replace(orders, known_at=r"_(\d{8})", delimiter=";", records="data", limits=Limits(refused=5))  # type: ignore[call-arg]

    assert older == replace(orders, feed=SPECIAL)
    [warning] = told
    assert warning.filename == __file__
    assert str(warning.message) == (
        "source 'orders': write feed=Files(known_at=..., delimiter=..., records=..., limits=...), with Files from "
        "mlpipe_assets.catalog.feeds, instead of known_at=..., delimiter=..., records=..., limits=..."
    )


def test_an_older_word_beside_a_feed_changes_that_word_only() -> None:
    with pytest.warns(DeprecationWarning, match=r"write feed=Files\(records=\.\.\.\)"):
        changed = replace(replace(orders, feed=Files(delimiter=";")), records="data")  # type: ignore[call-arg]

    assert changed.feed == Files(delimiter=";", records="data")


def test_an_older_attribute_is_still_read() -> None:
    with pytest.warns(DeprecationWarning, match="source 'orders': read feed.delimiter instead of delimiter"):
        assert replace(orders, feed=SPECIAL).delimiter == ";"  # type: ignore[attr-defined]


def test_a_project_in_older_words_is_loaded_and_each_declaration_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "older_words.py").write_text(OLDER_PROJECT)
    monkeypatch.chdir(tmp_path)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        catalog = load_catalog("older_words:CATALOG", root=tmp_path)
        for _ in range(2):
            exec(compile(OLDER_PROJECT, str(tmp_path / "older_words.py"), "exec"), {})  # noqa: S102 (as a reload does)

    assert catalog.source("orders").feed == Files(delimiter=";")
    assert [(one.filename, one.lineno) for one in told] == [(str(tmp_path / "older_words.py"), 5)]


def test_a_word_that_no_version_knew_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'separator'"):
        Source(name="orders", contract=Orders, key=("order_id",), separator=";")  # type: ignore[call-arg]
