"""What the environment decides: where the data lives, when it starts, how much memory the engine may take."""

import difflib
import hashlib
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.project_folder import ProjectFolder, find_project

NAMES = (
    *("MLPIPE_DATA_DIR", "MLPIPE_START_DATE", "MLPIPE_MEMORY_LIMIT", "MLPIPE_SETTLE_SECONDS", "MLPIPE_CATALOG"),
    *("MLPIPE_SENSOR_SECONDS", "MLPIPE_ALERT_URLS", "MLPIPE_FILE_MODE", "MLPIPE_ONLINE_URL"),
    *("MLPIPE_POSTGRES_URL", "MLPIPE_CACHE_DIR", "MLPIPE_CACHE_SIZE", "MLPIPE_OBJECT_CREDENTIALS"),
    *("MLPIPE_ENGINE", "MLPIPE_EXECUTOR", "MLPIPE_METADATA_URL", "MLPIPE_BRANCH"),
    *("MLPIPE_OPENLINEAGE_URL", "MLPIPE_OPENLINEAGE_API_KEY"),
    *("MLPIPE_ENVIRONMENT", "MLPIPE_UI_URL", "MLPIPE_GOLDEN", "MLPIPE_BROWSER_REQUIRED"),
)
_log = logging.getLogger("mlpipe")
_AN_HOUR = 3600
_OWNER_WRITES = 0o600
_NOBODY_RUNS = 0o111
_LEAST_MEMORY = 100e6
ENGINES = ("duckdb", "spark")  # who runs SQL; the first unless MLPIPE_ENGINE says otherwise
_LONGEST_LABEL = 40
STATE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")  # of a tag or a branch
_BUCKETS = ("s3://", "gs://", "az://")
_SERVERS = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_ACCOUNT_NAME",
)
PROJECT_ROOT = Path(__file__).resolve().parent.parent  # the checkout; nothing of the package looks there


class Bucket(NamedTuple):
    """A bucket that the lake is in.

    Attributes:
        address: Such as `s3://bucket/prefix`.
        copy: The data folder in which its files are on this machine.
    """

    address: str
    copy: Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The values of one process, read once.

    Attributes:
        bucket: Where the lake is, when `data_dir` is a copy of one in object storage.
        branch: The branch of the lake that `data_dir` is; what others see, such as a warehouse, is none of its business.
    """

    data_dir: Path
    start_date: date
    memory_limit: str
    settle_seconds: float
    project: ProjectFolder
    sensor_seconds: int = 30
    file_mode: int = _OWNER_WRITES
    alert_urls: tuple[str, ...] = field(default=(), repr=False)  # they hold tokens and passwords
    online_url: str = field(default="", repr=False)  # it may hold a password
    postgres_url: str = field(default="", repr=False)  # as above
    metadata_url: str = field(default="", repr=False)  # as above
    openlineage_url: str = ""
    openlineage_api_key: str = field(default="", repr=False)
    executor: str = field(default="threads", repr=False)  # an address may hold a token
    engine: str = "duckdb"
    environment: str = ""
    ui_url: str = ""
    bucket: Bucket | None = None
    branch: str = ""

    @property
    def main_dir(self) -> Path:
        """The data folder itself, where `data_dir` is a branch of it."""
        return self.data_dir.parent.parent if self.branch else self.data_dir

    @property
    def lake_address(self) -> str:
        """The bucket that the data folder is a copy of, that of main for a branch; empty where it is none."""
        return self.bucket.address if self.bucket and self.bucket.copy == self.main_dir else ""

    def for_lake(self, root: Path) -> "Settings":
        """The same for another data folder, whose lineage is its own."""
        if root == self.data_dir:
            return self
        return replace(self, data_dir=root, metadata_url="", openlineage_url="")


def read_settings(environ: dict[str, str] | None = None) -> Settings:
    """Settings from the environment, and from the project of the current folder.

    Raises: SettingsError naming the variable, its value and what it should look like.
    """
    env = dict(os.environ) if environ is None else environ
    project = find_project(env, Path.cwd())
    _report_unknown(tuple(sorted(name for name in env if name.startswith("MLPIPE_") and name not in NAMES)))
    bucket, executor = _bucket(env), (env.get("MLPIPE_EXECUTOR") or "").strip() or "threads"
    if bucket and executor != "threads":
        raise SettingsError(
            "MLPIPE_EXECUTOR is a cluster and MLPIPE_DATA_DIR a bucket: executors do not see the copy that this machine has of the "
            "bucket. Unset MLPIPE_EXECUTOR, or give a folder that all machines share."
        )
    data_dir = bucket.copy if bucket else Path(env.get("MLPIPE_DATA_DIR") or project.root / "data").absolute()
    branch = _branch(env, data_dir, bucket)
    return Settings(
        data_dir=data_dir / "branches" / branch if branch else data_dir,
        start_date=start_date(env, project),
        memory_limit=_memory(env, "MLPIPE_MEMORY_LIMIT", "1GB"),
        settle_seconds=_seconds(env, "MLPIPE_SETTLE_SECONDS", "1"),
        project=project,
        sensor_seconds=max(1, round(_seconds(env, "MLPIPE_SENSOR_SECONDS", "30"))),
        file_mode=file_mode(env),
        alert_urls=() if branch else _urls(env.get("MLPIPE_ALERT_URLS") or ""),
        online_url="" if branch else (env.get("MLPIPE_ONLINE_URL") or "").strip(),
        postgres_url=postgres_url(env),
        metadata_url=postgres_url(env, "MLPIPE_METADATA_URL"),
        openlineage_url="" if branch else _address(env, "MLPIPE_OPENLINEAGE_URL"),
        openlineage_api_key=(env.get("MLPIPE_OPENLINEAGE_API_KEY") or "").strip(),
        executor=executor,
        engine=_engine(env),
        environment=_label(env, "MLPIPE_ENVIRONMENT"),
        ui_url=_address(env, "MLPIPE_UI_URL"),
        bucket=bucket,
        branch=branch,
    )


def postgres_url(environ: Mapping[str, str] | None = None, name: str = "MLPIPE_POSTGRES_URL") -> str:
    """The warehouse that the lake is published to, or another PostgreSQL that a variable names; empty for none.

    Raises: SettingsError when it is no address of a PostgreSQL.
    """
    env = os.environ if environ is None else environ
    address = "" if env.get("MLPIPE_BRANCH") else (env.get(name) or "").strip()
    if address and not re.match(r"postgres(ql)?://", address):  # what follows may hold a password
        raise SettingsError(f"{name} is no address of a PostgreSQL. Write it as postgresql://HOST/DATABASE.")
    return address


def file_mode(environ: Mapping[str, str] | None = None) -> int:
    """Who may read and write the files of the lake; their folders can be entered by whoever may read them.

    Raises: SettingsError when MLPIPE_FILE_MODE is not such a mode.
    """
    text = (os.environ if environ is None else environ).get("MLPIPE_FILE_MODE") or "0600"
    mode = int(text, 8) if re.fullmatch(r"0?[0-7]{3}", text) else 0
    if mode & _OWNER_WRITES != _OWNER_WRITES or mode & _NOBODY_RUNS:
        raise SettingsError(
            f"MLPIPE_FILE_MODE={text!r} is not a usable mode. Write 0600 (only this user reads and writes the lake), 0640 (its group "
            "reads it too) or 0660 (its group writes it too)."
        )
    return mode


def cache_bound(environ: Mapping[str, str] | None = None) -> int | None:
    """How many bytes of the tables of a lake in a bucket are kept on this machine; None for all.

    Raises: SettingsError when MLPIPE_CACHE_SIZE is no amount.
    """
    text = ((os.environ if environ is None else environ).get("MLPIPE_CACHE_SIZE") or "").strip().upper()
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?)B", text)
    if text and not found:
        raise SettingsError(f"MLPIPE_CACHE_SIZE={text[:40]!r} is not an amount. Write it as 20GB or 500MB.")
    return round(float(found[1]) * 1000 ** " KMGT".index(found[2] or " ")) if found else None


@cache
def _report_unknown(names: tuple[str, ...]) -> None:
    """Report variables that look like settings and are none; once, however often settings are read."""
    for name in names:
        near = difflib.get_close_matches(name, NAMES, n=1)
        _log.warning("%s is not a setting, so it has no effect.%s", name, f" Did you mean {near[0]}?" if near else "")


def _bucket(env: Mapping[str, str]) -> Bucket | None:
    """The bucket that MLPIPE_DATA_DIR names; None for a local folder. Whether it can be used is found out when it is."""
    given = (env.get("MLPIPE_DATA_DIR") or "").strip()
    address = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/+", given)
    if address is None:
        return None
    if address[0] not in _BUCKETS or "@" in given:  # what follows may hold a password
        raise SettingsError(
            f"MLPIPE_DATA_DIR begins with {address[0]}, and data is kept in local folders and in buckets. Give a path, such as "
            "/srv/lake, or an address such as s3://BUCKET/PREFIX, without user and password."
        )
    given = given.rstrip("/")
    server = next((env[name] for name in _SERVERS if env.get(name)), "")
    number = hashlib.sha256(f"{given} {server}".encode()).hexdigest()[:12]
    caches = env.get("MLPIPE_CACHE_DIR") or Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlpipe"
    name = re.sub(r"[^A-Za-z0-9]+", "-", given)[:_LONGEST_LABEL]
    return Bucket(address=given, copy=Path(caches).absolute() / f"{name}-{number}" / "data")


def start_date(environ: Mapping[str, str] | None = None, project: ProjectFolder | None = None) -> date:
    """The first partition: MLPIPE_START_DATE, else what the project's pyproject.toml says, else that of the sample.

    Raises: SettingsError naming where it is said, its value and what it should look like.
    """
    env = os.environ if environ is None else environ
    own = project or find_project(env, Path.cwd())
    text = env.get("MLPIPE_START_DATE") or own.start_date or "2026-01-01"
    said = f"{'MLPIPE_START_DATE' if env.get('MLPIPE_START_DATE') else f'start_date in {own.root}/pyproject.toml'}={text!r}"
    try:
        value = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{said} is not a date. Write it as 2026-01-31.") from None
    if len(text) != len("2026-01-31") or value > date(2262, 1, 1) or value < date(1900, 1, 1):
        raise SettingsError(f"{said} is not a usable date. Write it as 2026-01-31, between 1900 and 2261.")
    if value > (today := datetime.now(tz=UTC).date()):
        raise SettingsError(
            f"{said} is after today, {today} in UTC, so there would be no partition. Name an earlier day."
        )
    return value


def _branch(env: Mapping[str, str], data_dir: Path, bucket: Bucket | None) -> str:
    """The branch that MLPIPE_BRANCH names.

    Raises: SettingsError where there is none of that name.
    """
    name = (env.get("MLPIPE_BRANCH") or "").strip()
    if name and bucket and STATE_NAME.fullmatch(name):
        return name  # whether there is one is found out when it is fetched
    if name and ("/" in name or not (data_dir / "branches" / name / "meta" / "branch.json").is_file()):
        raise SettingsError(
            f"MLPIPE_BRANCH={name[:60]!r}: there is no such branch of {data_dir}. Unset it, or first, without it: mlpipe branch {name[:60]}"
        )
    return name


def _memory(env: dict[str, str], name: str, default: str) -> str:
    given = env.get(name) or default
    text = given.strip().upper()
    amount = re.fullmatch(r"(\d+(?:\.\d+)?) ?(?:[KMGT]I?)?B", text)
    if not amount or not float(amount[1]):
        raise SettingsError(f"{name}={given!r} is not an amount of memory. Write it as 1GB or 800MB.")
    unit = text.removeprefix(amount[1]).strip().removesuffix("B").removesuffix("I")
    if float(amount[1]) * 1000 ** " KMGT".index(unit or " ") < _LEAST_MEMORY:
        raise SettingsError(f"{name}={given!r} is too little for the SQL engine. Give it 100MB or more.")
    return text


def _seconds(env: dict[str, str], name: str, default: str) -> float:
    text = env.get(name) or default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _AN_HOUR:  # also refuses nan
        raise SettingsError(f"{name}={text!r} is not a number of seconds between 0 and 3600.")
    return value


def _engine(env: dict[str, str]) -> str:
    kind = (env.get("MLPIPE_ENGINE") or "").strip() or ENGINES[0]
    if kind not in ENGINES:
        raise SettingsError(f"MLPIPE_ENGINE={kind[:40]!r} is no engine. Write one of {', '.join(ENGINES)}.")
    return kind


def _label(env: dict[str, str], name: str) -> str:
    text = (env.get(name) or "").strip()
    if len(text) > _LONGEST_LABEL or not text.isprintable():
        raise SettingsError(f"{name}={text[:60]!r} is no name. Write a short one, such as production.")
    return text


def _address(env: dict[str, str], name: str) -> str:
    text = (env.get(name) or "").strip().rstrip("/")
    if text and not re.fullmatch(r"https?://[^\s@]+", text):  # one with a password in it would go out with each alert
        raise SettingsError(
            f"{name} is not an address of the web. Write it as http://host:3000, without user and password."
        )
    return text


def _urls(text: str) -> tuple[str, ...]:
    """URLs between commas or spaces; a comma inside one, as between two addresses of a mail, does not divide."""
    parts = re.split(r",*\s[\s,]*|,+(?=[A-Za-z][A-Za-z0-9+.-]*://)", text.strip(" ,\n\t"))
    return tuple(part.strip(" ,\n\t") for part in parts if part.strip(" ,\n\t"))
