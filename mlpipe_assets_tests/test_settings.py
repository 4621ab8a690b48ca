"""What the environment decides."""

from datetime import date
from pathlib import Path

import pytest

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.settings import PROJECT_ROOT, Settings, read_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    expected = Settings(
        data_dir=PROJECT_ROOT / "data",
        start_date=date(2026, 1, 1),
        memory_limit="1GB",
        settle_seconds=1.0,
        catalog="mlpipe_assets.catalog.contents:CATALOG",
    )

    assert read_settings({}) == expected
    assert read_settings({"MLPIPE_DATA_DIR": "", "MLPIPE_START_DATE": "", "MLPIPE_MEMORY_LIMIT": ""}) == expected


def test_every_variable_is_read() -> None:
    found = read_settings(
        {
            "MLPIPE_DATA_DIR": "lake",
            "MLPIPE_START_DATE": "2013-01-01",
            "MLPIPE_MEMORY_LIMIT": " 1.5gb ",
            "MLPIPE_SETTLE_SECONDS": "0.5",
            "MLPIPE_CATALOG": "my.catalog:CATALOG",
        }
    )

    assert found == Settings(
        data_dir=Path.cwd() / "lake",
        start_date=date(2013, 1, 1),
        memory_limit="1.5GB",
        settle_seconds=0.5,
        catalog="my.catalog:CATALOG",
    )


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("MLPIPE_START_DATE", "01/02/2026", "is not a date. Write it as 2026-01-31"),
        ("MLPIPE_START_DATE", "20260101", "is not a usable date"),
        ("MLPIPE_START_DATE", "0001-01-01", "between 1900 and 2261"),
        ("MLPIPE_MEMORY_LIMIT", "lots", "Write it as 1GB or 800MB"),
        ("MLPIPE_MEMORY_LIMIT", "1", "Write it as 1GB or 800MB"),
        ("MLPIPE_MEMORY_LIMIT", "-1GB", "Write it as 1GB or 800MB"),
        ("MLPIPE_MEMORY_LIMIT", "0GB", "Write it as 1GB or 800MB"),
        ("MLPIPE_MEMORY_LIMIT", "1KMGB", "Write it as 1GB or 800MB"),
        ("MLPIPE_SETTLE_SECONDS", "nan", "is not a number of seconds between 0 and 3600"),
        ("MLPIPE_SETTLE_SECONDS", "-1", "is not a number of seconds between 0 and 3600"),
        ("MLPIPE_SETTLE_SECONDS", "soon", "is not a number of seconds between 0 and 3600"),
    ],
)
def test_a_value_we_cannot_use_is_named_with_what_it_should_look_like(name: str, value: str, advice: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        read_settings({name: value})

    assert advice in str(caught.value)


def test_too_little_memory_for_the_engine_is_refused() -> None:
    with pytest.raises(SettingsError, match="MLPIPE_MEMORY_LIMIT='1KB' is too little for the SQL engine"):
        read_settings({"MLPIPE_MEMORY_LIMIT": "1KB"})

    assert read_settings({"MLPIPE_MEMORY_LIMIT": "100mb"}).memory_limit == "100MB"


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("json://a/1,json://b/2", ("json://a/1", "json://b/2")),
        ("json://a/1, json://b/2\njson://c", ("json://a/1", "json://b/2", "json://c")),
        ("mailto://a?to=x@y,z@y json://b", ("mailto://a?to=x@y,z@y", "json://b")),
        ("json://a mistyped", ("json://a", "mistyped")),
        (" , ", ()),
    ],
)
def test_alert_urls_stand_between_commas_or_spaces_and_may_hold_commas(text: str, urls: tuple[str, ...]) -> None:
    assert read_settings({"MLPIPE_ALERT_URLS": text}).alert_urls == urls
