"""How the places of the lake are spelled: the key of everything below the data folder, and what a key tells.

A key is text with slashes; below a local data folder it is the path. No other module joins these names.
"""

from datetime import date
from pathlib import Path, PurePath

PART = "part.parquet"  # the rows of a day
TOTALS = "part.totals"  # beside the rows of a day of features: what the next day can go on from, as Parquet
SUPERSEDED = "part.superseded"  # beside the rows of a day of interim: those that others took the place of, as Parquet
TRAIN = "train.parquet"  # the split by which a training set counts as there
PROFILE = "profile.json"
DROP_ZONE = "raw"
EVENTS = "raw/_events"
QUARANTINE = "validation/quarantine"
PROFILES, DRIFT, REALISED = "monitoring/profiles", "monitoring/drift", "monitoring/realised"
BASELINES = "monitoring/reference"
WAREHOUSE = "meta/warehouse.json"  # by which name the data folder publishes to a warehouse
REPORTS, SCHEMAS = "validation/reports", "validation/schemas"
MODELS, VALIDATION = "models", "validation"
ONLINE, ONLINE_LINE = "online", "online/features/line.json"
SERVE_KEYS = "meta/serve_keys.json"
PUSHED = "meta/pushed"  # rows answered while a day was open, until its build is held to them
SNAPSHOTS = "meta/snapshots"  # what online snapshots were made of
ANY_SNAPSHOT = "features/*.sqlite"  # pattern of the online snapshots, below their folder
NEWEST = ".aside/newest"  # rows of the online snapshot before: they only save work
ASIDE, PROTOTYPE, BRANCHES = ".aside", "prototype", "branches"  # rows of selects from executors; lakes of other runs
REPORT_PAGE, DRIFT_SUMMARY = "monitoring/report.html", "monitoring/drift_summary.csv"

META, ACCEPTANCES, DATA_CATALOG = "meta", "meta/acceptances.jsonl", "meta/data_catalog.jsonl"
ALERTS, ALERT_LOG = "meta/alerts.json", "meta/alerts.jsonl"
CHAMPIONS, DELIVERIES = "meta/champions", "meta/deliveries"
FRESHNESS = "meta/freshness.jsonl"
REPORT_INPUTS = "meta/monitoring_report.json"
DIGESTS = "meta/digests"
REFUSALS = "meta/refused"  # where refused days were on record before there were manifests
TABLES, TAGS, CHECKOUT, BRANCH = "meta/tables", "meta/tags", "meta/checkout.json", "meta/branch.json"
SWAP = "meta/swap.json"  # what several tables hold that change in one step
LINEAGE, LINEAGE_FILE, LINEAGE_NAME = "meta/lineage", "meta/lineage/metadata.sqlite", "meta/lineage/name.json"
LINEAGE_LOG = "meta/metadata_log.jsonl"
CONTENTS = ".store"  # the files of tables, by their digests

_DAY = "date="
ANY_DAY = f"{_DAY}*"  # pattern of the folders of days
_PARQUET = ".parquet"


def name_day(day: date) -> str:
    """The folder of a day."""
    return f"{_DAY}{day}"


def is_day(name: str) -> bool:
    """Whether a folder is that of a day."""
    return name.startswith(_DAY)


def read_day(name: str) -> date | None:
    """The day that the name of a folder or a record tells; None when it is no day as we spell one."""
    text = name.removeprefix(_DAY)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if f"{day}" == text else None  # Python also reads 20260105 and 2026-W02-1


def partition(stage: str, name: str, day: date, file: str = PART) -> str:
    """A file of one day of a table."""
    return f"{stage}/{name}/{_DAY}{day}/{file}"


def partitions(stage: str, name: str, file: str = PART) -> str:
    """Pattern of the files of all days of a table; a name of `*` takes every table."""
    return f"{stage}/{name}/{ANY_DAY}/{file}"


def split(name: str) -> str:
    """The file of one split of a training set."""
    return f"{name}{_PARQUET}"


def snapshot_made(inputs: str) -> str:
    """What is on record of an online snapshot, by the beginning of the digest of its inputs."""
    return f"{SNAPSHOTS}/{inputs}.json"


def drop_zone(source: str) -> str:
    """The folder that files of a source are dropped into."""
    return f"{DROP_ZONE}/{source}"


def events(source: str, day: date, stem: str) -> str:
    """The events of one day that one delivery brought."""
    return f"{EVENTS}/{source}/{_DAY}{day}/{stem}.parquet"


def refused_on_arrival(source: str, day: date, stem: str) -> str:
    """The rows of one delivery that were refused when it arrived."""
    return f"{QUARANTINE}/{source}/{_DAY}{day}/{stem}.parquet"


def refused_by_contract(source: str, day: date) -> str:
    """The rows of a day that the contract of its source refused."""
    return f"{QUARANTINE}/{source}/{_DAY}{day}/refused.parquet"


def files_of_delivery(source: str, delivery: str) -> tuple[str, str]:
    """Patterns of all events of a delivery, and of its rows refused on arrival."""
    return partitions(EVENTS, source, f"{delivery}*.parquet"), partitions(QUARANTINE, source, f"{delivery}*.parquet")


def deliveries(source: str) -> str:
    """The folder of the records of a source's deliveries."""
    return f"{DELIVERIES}/{source}"


def delivery(source: str, name: str) -> str:
    """The record of one delivery."""
    return f"{deliveries(source)}/{name}.json"


def stretch(source: str, number: str) -> str:
    """The record of many deliveries of a source."""
    return f"{deliveries(source)}/{number}.stretch"


def marked_delivery(source: str, name: str, how: str = "pending") -> str:
    """The mark of a delivery that is being written, or that is `untold`: on record, and in no run's report yet."""
    return f"{deliveries(source)}/{name}.{how}"


def seen_files(source: str) -> str:
    """The record of the files of a source that were seen in the drop zone."""
    return f"meta/drop_zone/{source}.json"


def automation(name: str) -> str:
    """One of the records that automation keeps between two looks."""
    return f"meta/automation/{name}.json"


def registry(name: str) -> str:
    """A small table of facts."""
    return f"meta/{name}.parquet"


def champion(model: str) -> str:
    """The record of what was decided about the versions of a model; who is champion follows from it."""
    return f"{CHAMPIONS}/{model}.json"


def version(model: str, name: str, file: str = "") -> str:
    """A file of one version of a model, or their folder."""
    return f"{MODELS}/{model}/{name}/{file}".rstrip("/")


def golden(model: str) -> str:
    """The golden rows of a model with the answers of its champion."""
    return f"validation/golden/{model}.parquet"


def report(run_id: str) -> str:
    """The validation report of a run."""
    return f"{REPORTS}/{run_id}.json"


def schema(source: str) -> str:
    """The schema of a source, for those who do not read Python."""
    return f"{SCHEMAS}/{source}.json"


def snapshot(name: str) -> str:
    """An online snapshot."""
    return f"{ONLINE}/features/{name}.sqlite"


def pushed(view: str, day: date, server: str) -> str:
    """What one server answered of a view while a day was open."""
    return f"{PUSHED}/{view}/{day}-{server}.json"


def baseline(name: str) -> str:
    """A frozen baseline."""
    return f"{BASELINES}/{name}.json"


def lock(stage: str, name: str) -> str:
    """What the run that writes a table holds."""
    return f"meta/locks/{stage}.{name}.lock"


def run_lock(run_id: str) -> str:
    """What the process of a run holds while it lives."""
    return f"meta/locks/runs/{run_id}.lock"


def presence(name: str) -> str:
    """What shows to the executors of a process that they have the same data folder before them."""
    return f"meta/locks/seen/{name}.lock"


def contents(table: str) -> str:
    """The folder of the contents of a table's files."""
    return f"{CONTENTS}/{table}"


def manifest(table: str) -> str:
    """The manifest of a table."""
    return f"{TABLES}/{table.replace('/', '.')}.json"


def tag(name: str) -> str:
    """What a tag pins."""
    return f"{TAGS}/{name}.json"


def table_of_manifest(name: str) -> str:
    """The table of a manifest, of which the name of the file is given."""
    stage, _, rest = name.removesuffix(".json").partition(".")
    return f"{stage}/{rest.replace('.', '/', 1)}" if stage == "monitoring" else f"{stage}/{rest}"


def is_written_by(manifest_name: str, stage: str, name: str) -> bool:
    """Whether the run that writes `stage/name` writes the table of a manifest, of which the name of the file is given."""
    return manifest_name.startswith(f"{stage}.") and manifest_name.endswith(f".{name}.json")


def dated_table(key: PurePath) -> str | None:
    """The table that a file of a day is of; None for files that are of no day, and for events and quarantine.

    Of those a day has one file for each delivery, and the ledger says which count.
    """
    if is_below(key, EVENTS) or is_below(key, QUARANTINE) or key.parts[0] == CONTENTS:
        return None
    folders = key.parts[:-1]
    return "/".join(folders[:-1]) if len(folders) > 1 and is_day(folders[-1]) else None


def digests(table: str) -> str:
    """The log of the digests of a table's files."""
    return f"{DIGESTS}/{table.replace('/', '.')}.log"


def table_of(key: Path) -> Path | None:
    """The table that a file belongs to, as a path below the data folder; None for small documents, which are no tables."""
    folders = key.parts[:-1]
    small = is_below(key, META) and (len(folders) > 1 or key.suffix != _PARQUET)
    if small or is_below(key, REPORTS) or is_below(key, SCHEMAS):
        return None
    dated = next((number for number, name in enumerate(folders) if is_day(name)), len(folders))
    return Path(*folders[: min(dated, 2 if is_below(key, MODELS) else 3)])


def is_below(key: PurePath, folder: str) -> bool:
    """Whether a key is in a folder, or in one below it."""
    parts = folder.split("/")
    return list(key.parts[: len(parts)]) == parts


def is_made_of_others(key: PurePath) -> bool:
    """Whether a file is one that a run builds from others of the lake: a partition after raw, the report, a snapshot."""
    if is_below(key, EVENTS) or is_below(key, QUARANTINE):
        return False
    if is_below(key, ONLINE):
        return True
    return any(map(is_day, key.parts[:-1])) or str(key) in (REPORT_PAGE, DRIFT_SUMMARY, DATA_CATALOG)


def is_refused_by_contract(key: PurePath) -> bool:
    """Whether a key is that of rows which the contract of a source refused."""
    return is_below(key, QUARANTINE) and key.name == "refused.parquet"
