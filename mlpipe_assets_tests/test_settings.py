"""What the environment decides."""

import logging
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.project_folder import ProjectFolder
from mlpipe_assets.settings import NAMES, PROJECT_ROOT, Settings, read_settings


def test_an_empty_environment_gives_the_defaults() -> None:
    expected = Settings(
        data_dir=PROJECT_ROOT / "data",
        start_date=date(2026, 1, 1),
        memory_limit="1GB",
        settle_seconds=1.0,
        project=ProjectFolder(root=PROJECT_ROOT, catalog="mlpipe_assets.catalog.contents:CATALOG"),
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
        project=ProjectFolder(root=Path.cwd(), catalog="my.catalog:CATALOG", said_in="MLPIPE_CATALOG"),
    )


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("MLPIPE_START_DATE", "01/02/2026", "is not a date. Write it as 2026-01-31"),
        ("MLPIPE_START_DATE", "20260101", "is not a usable date"),
        ("MLPIPE_ENGINE", "duckdbb", "is no engine. Write one of duckdb, spark"),
        ("MLPIPE_START_DATE", "0001-01-01", "between 1900 and 2261"),
        ("MLPIPE_START_DATE", "2261-01-01", "in UTC, so there would be no partition. Name an earlier day"),
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


@pytest.mark.parametrize(
    "address",
    [
        "s3://key:secret@bucket/x",
        "s3://bucket/secret@x",
        "S3://b",
        "file:///srv/lake",
        "https://h/x",
        "s3:/b",
        "abfss://c@a/x",
    ],
)
def test_an_address_is_refused_as_data_folder_without_repeating_what_may_be_secret(address: str) -> None:
    with pytest.raises(
        SettingsError, match=r"MLPIPE_DATA_DIR begins with .*, and data is kept in local folders and in buckets"
    ) as caught:
        read_settings({"MLPIPE_DATA_DIR": address})

    assert "secret" not in str(caught.value)


def test_a_cluster_does_not_see_the_copy_of_a_bucket() -> None:
    with pytest.raises(SettingsError, match="executors do not see the copy that this machine has of the bucket"):
        read_settings({"MLPIPE_DATA_DIR": "s3://lake/shop/", "MLPIPE_EXECUTOR": "dask://host:8786"})


@pytest.mark.parametrize("name", ["x" * 101, "-x", "a/b", ".hidden"])
def test_a_branch_in_a_bucket_is_called_as_a_branch_can_be(name: str) -> None:
    assert read_settings({"MLPIPE_DATA_DIR": "s3://lake/shop", "MLPIPE_BRANCH": "try-x"}).branch == "try-x"
    with pytest.raises(SettingsError, match="there is no such branch"):
        read_settings({"MLPIPE_DATA_DIR": "s3://lake/shop", "MLPIPE_BRANCH": name})


def test_a_lake_in_a_bucket_has_a_folder_for_its_files_on_this_machine() -> None:
    env = {"MLPIPE_DATA_DIR": "s3://lake/shop/", "MLPIPE_CACHE_DIR": "/srv/cache", "AWS_ENDPOINT_URL": "https://a"}
    found = read_settings(env)
    assert found.lake_address == "s3://lake/shop"
    assert re.fullmatch(r"/srv/cache/s3-lake-shop-[0-9a-f]{12}/data", f"{found.data_dir}")

    other = read_settings({**env, "AWS_ENDPOINT_URL": "https://b"})
    assert other.data_dir != found.data_dir  # the same names on another server are another lake
    assert read_settings({**env, "MLPIPE_DATA_DIR": "s3://lake/shop"}).data_dir == found.data_dir
    assert replace(found, data_dir=Path("/srv/prototype")).lake_address == ""
    assert read_settings({"MLPIPE_DATA_DIR": "lake"}).lake_address == ""


@pytest.mark.parametrize("folder", ["/srv/x [alt]", "a:b", "1/2", "C:/x", "weird*?{}'%20ü"])
def test_any_other_name_is_a_folder(folder: str) -> None:
    assert read_settings({"MLPIPE_DATA_DIR": folder}).data_dir == Path(folder).absolute()


@pytest.mark.parametrize(("text", "mode"), [("", 0o600), ("0640", 0o640), ("660", 0o660), ("0664", 0o664)])
def test_the_mode_of_files_can_be_opened_to_a_group(text: str, mode: int) -> None:
    assert read_settings({"MLPIPE_FILE_MODE": text}).file_mode == mode


@pytest.mark.parametrize("text", ["0440", "0755", "rw", "0o600", "06", "99999", "-600", "6000"])
def test_a_mode_that_would_lock_the_lake_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"MLPIPE_FILE_MODE=.* is not a usable mode. Write 0600"):
        read_settings({"MLPIPE_FILE_MODE": text})


def test_a_misspelt_setting_is_reported_once_with_the_nearest_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "mlpipe"):
        read_settings({"MLPIPE_DATADIR": "x", "MLPIPE_QQQQQ": "x", "OTHER": "x"})
        read_settings({"MLPIPE_DATADIR": "y", "MLPIPE_QQQQQ": "x"})

    assert [record.getMessage() for record in caplog.records] == [
        "MLPIPE_DATADIR is not a setting, so it has no effect. Did you mean MLPIPE_DATA_DIR?",
        "MLPIPE_QQQQQ is not a setting, so it has no effect.",
    ]


def test_every_setting_that_the_code_names_is_known() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "mlpipe_assets").rglob("*.py"))

    named = set(re.findall(r"""["'](MLPIPE_[A-Z_]+)["']""", code))

    assert named <= set(NAMES)
