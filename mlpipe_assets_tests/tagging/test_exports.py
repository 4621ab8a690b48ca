"""Tags as Iceberg and DVC have them."""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlpipe_assets.catalog.contents import CATALOG
from mlpipe_assets.errors import BusyError, SettingsError
from mlpipe_assets.project import Project
from mlpipe_assets.settings import PROJECT_ROOT
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import read_tag
from mlpipe_assets.tagging.exports import iceberg
from mlpipe_assets.tagging.exports.iceberg_files import read_manifest, read_manifest_list, spell_manifest
from mlpipe_assets.tagging.exports.iceberg_schema import Numbers, spell_columns
from mlpipe_assets.tagging.exports.pinned_files import Exported
from mlpipe_assets.tagging.exports.registry import export_tag
from mlpipe_assets.tagging.making import make_tag, remove_tag
from mlpipe_assets.transforms.splits import SPLITS
from mlpipe_assets_tests.fetched import make_environment
from mlpipe_assets_tests.frames import JAN_5, JAN_6
from mlpipe_assets_tests.tagging.lakes import NOON, Said, publish, tag

JAN_7, JAN_8 = date(2026, 1, 7), date(2026, 1, 8)
_READERS = (  # pinned, so that a new version of one is a change of ours
    *("polars==2.1.0", "pyiceberg[pyarrow]==0.12.0"),
    *("duckdb==1.5.5", "duckdb-extension-avro==1.5.5", "duckdb-extension-iceberg==1.5.5"),
)


def export(lake: Lake, name: str, out: Path, *tables: str, kind: str = "iceberg", copy: bool = False) -> list[Exported]:
    return export_tag(lake, CATALOG, name, kind, out, tables=tables, copy=copy, now=NOON)


def document(folder: Path) -> dict[str, Any]:
    """The newest document of an Iceberg table."""
    number = (folder / "metadata" / "version-hint.text").read_text()
    found: dict[str, Any] = json.loads((folder / "metadata" / f"v{number}.metadata.json").read_bytes())
    return found


def named(folder: Path, ref: str) -> list[tuple[date, int, Path]]:
    """Day, rows and place of the data files of a reference."""
    known = document(folder)
    (snapshot,) = [s for s in known["snapshots"] if s["snapshot-id"] == known["refs"][ref]["snapshot-id"]]
    lists = read_manifest_list(Path(snapshot["manifest-list"].removeprefix("file://")).read_bytes())
    entries = [e for path in lists for e in read_manifest(Path(path.removeprefix("file://")).read_bytes())]
    return [(e.day, e.rows, Path(e.path.removeprefix("file://"))) for e in entries]


def test_an_iceberg_table_names_the_files_of_the_lake_and_a_second_tag_adds_to_it(
    two_days: Lake, tmp_path: Path
) -> None:
    tag(two_days, "v1")
    first = export(two_days, "v1", tmp_path / "out")
    publish(two_days, {JAN_6: 7, JAN_7: 3})
    tag(two_days, "v2")

    (second,) = export(two_days, "v2", tmp_path / "out", "interim/orders")

    assert [(one.table, one.files, one.rows, one.written.copied, one.is_new) for one in (*first, second)] == [
        ("interim/orders", 2, 2, 0, True),
        ("interim/orders", 3, 3, 0, True),
    ]
    folder = tmp_path / "out" / "interim.orders"
    values = {
        ref: [pl.read_parquet(path, hive_partitioning=False)["amount"].item() for *_, path in named(folder, ref)]
        for ref in ("v1", "v2", "main")
    }
    assert values == {"v1": [1, 2], "v2": [1, 7, 3], "main": [1, 7, 3]}
    assert [day for day, *_ in named(folder, "v2")] == [JAN_5, JAN_6, JAN_7]
    assert all(path.is_relative_to(two_days.root / keys.CONTENTS) for *_, path in named(folder, "v1"))
    told = [s["summary"] for s in document(folder)["snapshots"]]
    assert [(s["operation"], s["added-data-files"], s["deleted-data-files"]) for s in told] == [
        ("append", "2", "0"),
        ("overwrite", "2", "1"),
    ]
    assert {ref: of["type"] for ref, of in document(folder)["refs"].items()} == {
        "main": "branch",
        "v1": "tag",
        "v2": "tag",
    }


def test_the_same_tag_again_writes_nothing_and_another_one_of_its_name_is_refused(
    two_days: Lake, tmp_path: Path
) -> None:
    tag(two_days, "v1")
    export(two_days, "v1", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}

    (again,) = export(two_days, "v1", tmp_path / "out", copy=True)

    assert (again.files, again.rows, again.is_new) == (2, 2, False)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    remove_tag(two_days, "v1")
    publish(two_days, {JAN_5: 9})
    tag(two_days, "v1")
    with pytest.raises(SettingsError, match="has a tag 'v1' already, of another content"):
        export(two_days, "v1", tmp_path / "out")


def test_with_copy_the_rows_stay_when_the_tag_goes(two_days: Lake, tmp_path: Path) -> None:
    tag(two_days, "v1")

    (done,) = export(two_days, "v1", tmp_path / "out", copy=True)

    paths = [path for *_, path in named(done.folder, "v1")]
    assert all(path.is_relative_to(done.folder / "data") for path in paths)
    assert done.written.linked == sum(path.stat().st_size for path in paths) > 0
    (two_days.root / keys.CONTENTS).rename(tmp_path / "gone")
    assert [pl.read_parquet(path, hive_partitioning=False)["amount"].item() for path in paths] == [1, 2]


def test_an_export_that_was_killed_before_its_last_step_is_made_again(
    two_days: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag(two_days, "v1")

    def killed(*_: object) -> dict[str, str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(iceberg, "_summarise", killed)
        with pytest.raises(KeyboardInterrupt):
            export(two_days, "v1", tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.metadata.json"))

    (done,) = export(two_days, "v1", tmp_path / "out")

    assert len(named(done.folder, "v1")) == 2


def test_of_two_exports_at_once_one_is_told_so(two_days: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tag(two_days, "v1")
    tag(two_days, "v2")

    def beside(*args: Any, **more: Any) -> bytes:
        monkeypatch.setattr(iceberg, "spell_manifest", spell_manifest)
        export(two_days, "v2", tmp_path / "out")
        return spell_manifest(*args, **more)

    monkeypatch.setattr(iceberg, "spell_manifest", beside)

    with pytest.raises(BusyError, match="another export has just written this table"):
        export(two_days, "v1", tmp_path / "out")

    assert {*document(tmp_path / "out" / "interim.orders")["refs"]} == {"main", "v2"}


def test_columns_grow_as_iceberg_lets_them_and_keep_their_numbers() -> None:
    narrow = {"id": pl.String(), "n": pl.Int32(), "amount": pl.Decimal(9, 2), "items": pl.List(pl.String())}
    numbers = Numbers()
    before = spell_columns("t", [narrow], [], numbers)
    wide = {"more": pl.Float32(), "n": pl.Int64(), "amount": pl.Decimal(12, 2)}

    after = spell_columns(
        "t", [wide, {"n": pl.Int8(), "items": pl.List(pl.String())}], [before], Numbers(numbers.mapping(), numbers.last)
    )

    types = {field["name"]: (field["id"], field["type"]) for field in after}
    listed = {"type": "list", "element-id": 5, "element": "string", "element-required": False}
    assert types == {"more": (6, "float"), "n": (2, "long"), "amount": (3, "decimal(12, 2)"), "items": (4, listed)}


@pytest.mark.parametrize(
    ("schemas", "earlier", "message"),
    [
        ([{"a": pl.Duration("us")}], [], r"t: a is Duration\(time_unit='us'\), which Iceberg does not have"),
        ([{"a": pl.List(pl.UInt64)}], [], r"a is List\(UInt64\), which Iceberg does not have"),
        ([{"a": pl.Datetime("ns")}], [], "which Iceberg does not have"),
        ([{"a": pl.String()}, {"a": pl.Int64()}], [], "a is string in some files and long in others"),
        ([{"a": pl.Decimal(9, 2)}, {"a": pl.Decimal(9, 3)}], [], r"decimal\(9, 2\) in some files and decimal\(9, 3\)"),
        (
            [{"a": pl.Date()}],
            [[{"name": "a", "id": 1, "type": "string"}]],
            "a is string in some files and date in others",
        ),
    ],
)
def test_what_iceberg_cannot_hold_is_refused_by_name(
    schemas: Sequence[dict[str, pl.DataType]], earlier: list[list[dict[str, Any]]], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        spell_columns("t", schemas, earlier, Numbers())


def test_a_pointer_of_dvc_names_the_files_by_their_md5(two_days: Lake, tmp_path: Path) -> None:
    tag(two_days, "v1")
    out = tmp_path / "out"

    (done,) = export(two_days, "v1", out, "interim/orders", kind="dvc")

    (listing,) = (out / ".dvc" / "cache" / "files" / "md5").rglob("*.dir")
    listed = json.loads(listing.read_bytes())
    assert [one["relpath"] for one in listed] == ["date=2026-01-05/part.parquet", "date=2026-01-06/part.parquet"]
    for one in listed:
        kept = out / ".dvc" / "cache" / "files" / "md5" / one["md5"][:2] / one["md5"][2:]
        assert hashlib.md5(kept.read_bytes(), usedforsecurity=False).hexdigest() == one["md5"]
        assert kept.read_bytes() == two_days.root.joinpath("interim", "orders", one["relpath"]).read_bytes()
    pointer = (out / "interim.orders.dvc").read_text()
    assert f"md5: {listing.parent.name}{listing.name}\n" in pointer
    assert (done.is_new, (out / ".gitignore").read_text()) == (True, "/interim.orders\n")
    (again,) = export(two_days, "v1", out, "interim/orders", kind="dvc")
    assert (again.is_new, again.written.linked) == (False, 0)


def test_a_repository_of_dvc_above_the_folder_takes_the_files_where_it_says(two_days: Lake, tmp_path: Path) -> None:
    (tmp_path / "repository" / ".dvc").mkdir(parents=True)
    (tmp_path / "repository" / ".dvc" / "config").write_text("[cache]\n    dir = ../../kept\n")
    tag(two_days, "v1")

    export(two_days, "v1", tmp_path / "repository" / "tables", kind="dvc")

    assert len(list((tmp_path / "kept" / "files" / "md5").glob("*/*"))) == 3
    assert not (tmp_path / "repository" / "tables" / ".dvc").exists()


def test_the_command_says_what_it_wrote_and_refuses_what_does_not_go_together(
    two_days: Lake, said: Said, tmp_path: Path
) -> None:
    tag(two_days, "v1")
    out = str(tmp_path / "out")

    told = said("tags", "export", "v1", "--format", "iceberg", "--out", out)
    (found,) = json.loads(said("tags", "export", "v1", "--format", "dvc", "--out", out, "--json"))["tables"]

    assert "0.0 MB linked, 0.0 MB copied" in told
    assert (found["table"], found["files"], found["is_new"]) == ("interim/orders", 2, True)
    assert "takes a tag and a format" in said("tags", "export", "v1", code=2)
    assert "go with: mlpipe tags export NAME" in said("tags", "--copy", code=2)
    assert "There is no tag 'v2'" in said("tags", "export", "v2", "--format", "dvc", code=2)
    inside = str(two_days.root / "out")
    assert "lie in each other" in said("tags", "export", "v1", "--format", "dvc", "--out", inside, code=2)


def rows(day: date, count: int) -> pl.DataFrame:
    """Rows of every type that a table may have."""
    at = datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC)
    return pl.DataFrame(
        {
            "order_id": [f"o{day.day}-{number}" for number in range(count)],
            "amount": [Decimal("-0.01"), Decimal("12345678901234.56"), None][:count],
            "small": [Decimal("1.5"), None, Decimal("-2.5")][:count],
            "at": [at, None, at][:count],
            "placed": [None, at.replace(tzinfo=None), None][:count],
            "on": [day, None, day][:count],
            "is_new": [True, None, False][:count],
            "share": [0.1, None, -1e300][:count],
            "ratio": [0.5, None, 2.0][:count],
            "n": [1, None, -3][:count],
            "raw": [b"\x00\xff", None, b""][:count],
            "items": [["a", None], None, []][:count],
            "place": [{"city": "Köln", "zip": 1}, None, {"city": None, "zip": None}][:count],
        },
        schema={
            "order_id": pl.String,
            "amount": pl.Decimal(18, 2),
            "small": pl.Decimal(5, 1),
            "at": pl.Datetime("us", "UTC"),
            "placed": pl.Datetime("us"),
            "on": pl.Date,
            "is_new": pl.Boolean,
            "share": pl.Float64,
            "ratio": pl.Float32,
            "n": pl.Int32,
            "raw": pl.Binary,
            "items": pl.List(pl.String),
            "place": pl.Struct({"city": pl.String, "zip": pl.Int64}),
        },
    )


def put(lake: Lake, frames: dict[date, pl.DataFrame], *, refused: Sequence[date] = ()) -> None:
    change = lake.change("interim", "orders")
    for day, frame in frames.items():
        change.put(lake.stage(lake.path("interim", "orders", day), frame, {"accepted": frame.height}))
    for day in refused:
        change.refuse(day, problem="too many rows refused", inputs="x")
    change.publish()


def put_training_set(lake: Lake) -> None:
    change = lake.change("processed", "repeat_purchase")
    for number, split in enumerate(SPLITS):
        frame = pl.DataFrame({"customer_id": [f"c{number}", f"d{number}"], "label": [True, None]})
        change.put(change.table.stage(JAN_6, frame, {"rows": 2}, keys.split(split)))
    change.publish()


@pytest.mark.long
@pytest.mark.parametrize("copy", [False, True], ids=["named", "copied"])
def test_the_libraries_that_read_iceberg_read_what_a_project_reads_at_each_tag(
    two_days: Lake, tmp_path: Path, readers: Path, *, copy: bool
) -> None:
    put(two_days, {JAN_5: rows(JAN_5, 3), JAN_6: rows(JAN_6, 0), JAN_7: rows(JAN_7, 2)}, refused=[JAN_8])
    put_training_set(two_days)
    make_tag(two_days, CATALOG, "v1", tables=(), message="", now=NOON, root=tmp_path)
    export(two_days, "v1", tmp_path / "iceberg", copy=copy)
    grown = pl.col("n").cast(pl.Int64), pl.lit(None, pl.String).alias("more"), pl.col("small").cast(pl.Decimal(7, 1))
    wide = {JAN_5: rows(JAN_5, 2).with_columns(*grown), JAN_7: rows(JAN_7, 2).with_columns(*grown)}
    put(
        two_days,
        {**wide, JAN_6: rows(JAN_6, 1).with_columns(*grown).drop("raw")} | {d: f.drop("raw") for d, f in wide.items()},
    )
    make_tag(two_days, CATALOG, "v2", tables=(), message="", now=NOON, root=tmp_path)
    export(two_days, "v2", tmp_path / "iceberg", copy=copy)
    project = Project(two_days.root, catalog=CATALOG)
    (tmp_path / "expected").mkdir()
    for name in ("v1", "v2"):
        for table in ("interim/orders", "processed/repeat_purchase"):
            project.table(table, tag=name).write_parquet(
                tmp_path / "expected" / f"{table.replace('/', '.')}@{name}.parquet"
            )
    script = PROJECT_ROOT / "mlpipe_assets_tests" / "tagging" / "read_versions.py"

    done = subprocess.run([readers, script, tmp_path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["wrong"], found["compared"]) == ({}, 24)


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with libraries that read Iceberg."""
    return make_environment(tmp_path_factory.mktemp("readers"), *_READERS)


@pytest.mark.long
def test_dvc_checks_out_the_same_bytes_of_each_tag(two_days: Lake, tmp_path: Path) -> None:
    dvc = make_environment(tmp_path / "environment", "dvc==3.67.1").with_name("dvc")
    put_training_set(two_days)
    make_tag(two_days, CATALOG, "v1", tables=(), message="", now=NOON, root=tmp_path)
    out = tmp_path / "out"
    export(two_days, "v1", out, kind="dvc")
    pointers = {path: path.read_bytes() for path in out.glob("[!.]*.dvc")}
    then = faces(two_days)
    publish(two_days, {JAN_6: 9, JAN_7: 3})
    make_tag(two_days, CATALOG, "v2", tables=(), message="", now=NOON, root=tmp_path)
    export(two_days, "v2", out, kind="dvc")
    environment = {"DVC_NO_ANALYTICS": "1", "HOME": str(tmp_path), "PATH": str(dvc.parent)}

    def call(*words: str) -> str:
        done = subprocess.run([dvc, *words], cwd=out, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    call("checkout")
    assert checked_out(out) == faces(two_days)
    assert "up to date" in call("status")
    for path, content in pointers.items():  # as git brings them back
        path.write_bytes(content)
    call("checkout")
    assert checked_out(out) == then
    assert "up to date" in call("status")
    assert read_tag(two_days.objects, "v2").tables["interim/orders"].days.keys() == {JAN_5, JAN_6, JAN_7}
    assert Project(two_days.root, catalog=CATALOG).table("interim/orders", tag="v2").height == 3


def faces(lake: Lake) -> dict[str, bytes]:
    """Every file of a day of two tables, as any other tool finds it."""
    paths = [
        path
        for table in ("interim/orders", "processed/repeat_purchase")
        for path in (lake.root / table).rglob("*.parquet")
    ]
    return {f"{path.relative_to(lake.root)}": path.read_bytes() for path in paths}


def checked_out(out: Path) -> dict[str, bytes]:
    paths = [
        path for name in ("interim.orders", "processed.repeat_purchase") for path in (out / name).rglob("*.parquet")
    ]
    return {f"{path.relative_to(out)}".replace(".", "/", 1): path.read_bytes() for path in paths}
