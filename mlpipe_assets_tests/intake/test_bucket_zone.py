"""A drop zone in a bucket of a real server that speaks S3."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.catalog.serving_log import serving_log
from mlpipe_assets.catalog.sources import orders
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.intake import bucket_zone
from mlpipe_assets.intake.bucket_zone import BucketZone
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.intake.intake import Mark
from mlpipe_assets.intake.registry import find_idle_folders, intake_of
from mlpipe_assets.serving.push.pushed_rows import why_not
from mlpipe_assets.stages.raw.plan import new_files
from mlpipe_assets.stages.raw.taking import Ingested
from mlpipe_assets.store.bucket.address import read_address
from mlpipe_assets.store.bucket.client import Patience
from mlpipe_assets.store.bucket.objects import BucketObjects
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.fault_proxy import Fault, FaultProxy, fault_proxy
from mlpipe_assets_tests.frames import JAN_5, build, events, order, orders_csv, quarantined, take
from mlpipe_assets_tests.lake_machines import Machine
from mlpipe_assets_tests.object_server import BUCKET, KEEPER, ObjectServer, object_server
from mlpipe_assets_tests.store.stores import bucket

pytestmark = pytest.mark.slow

_CATALOG = """
from dataclasses import replace
from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.catalog.sources import orders
CATALOG = Catalog(sources=(replace(orders, feed=Files({location!r})),))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with object_server(tmp_path_factory.mktemp("drop")) as found:
        yield found


@pytest.fixture(scope="module")
def proxy(server: ObjectServer) -> Iterator[FaultProxy]:
    with fault_proxy(server.port) as found:
        yield found


@pytest.fixture
def zone(
    server: ObjectServer, proxy: FaultProxy, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BucketObjects]:
    """An empty prefix of its own; the source reads it through the proxy."""
    for name, value in server.environ(endpoint=proxy.endpoint).items():
        monkeypatch.setenv(name, value)
    yield bucket(server, f"drop/{request.node.name}")
    proxy.faults, proxy.delay = [], 0.0


def source(zone: BucketObjects) -> Source:
    return replace(orders, feed=Files(f"{zone.address}"))


def ids(lake: Lake) -> Sequence[str]:
    return sorted(json.loads(payload)["order_id"] for payload in events(lake)["payload"])


def put(zone: BucketObjects, name: str, *lines: str) -> None:
    zone.put(name, orders_csv(*lines).encode())


def test_objects_are_taken_once_and_a_look_with_nothing_new_is_one_list(
    zone: BucketObjects, proxy: FaultProxy, lake: Lake
) -> None:
    put(zone, "orders_2026-01-05.csv", order("o1", "2026-01-05T08:00:00Z"))
    put(zone, "north/orders.csv", order("o2", "2026-01-05T09:00:00Z"))
    for passed_over in ("_done/x.csv", ".hidden.csv", "new.csv.part", "north/~$orders.xlsx"):
        zone.put(passed_over, b"x")

    taken = take(lake, source(zone))

    by_name = {delivery.source_file: delivery for delivery in taken.new}
    assert sorted(by_name) == ["north/orders.csv", "orders_2026-01-05.csv"]
    assert by_name["orders_2026-01-05.csv"].known_at == datetime(2026, 1, 5, 23, 59, 59, tzinfo=UTC)
    head = zone.head("north/orders.csv")
    assert head is not None
    assert by_name["north/orders.csv"].known_at == head.modified.replace(microsecond=0)
    assert ids(lake) == ["o1", "o2"]
    proxy.seen.clear()
    assert new_files(lake, source(zone)) == []
    assert [line.partition("?")[0] for line in proxy.seen] == [f"GET /{BUCKET}"]
    assert take(lake, source(zone)) == Ingested()
    assert proxy.count() == 2


def test_what_is_delivered_makes_the_tables_that_a_folder_makes(
    zone: BucketObjects, lake: Lake, tmp_path: Path
) -> None:
    other = Lake(data_dir=f"{tmp_path / 'folder'}")
    names = {
        "orders_2026-01-05.csv": "1.00",
        "orders_2026-01-05_corrected.csv": "2.00",
        "orders_2026-01-06.csv": "3.00",
    }
    for name, amount in names.items():
        content = orders_csv(order("o1", "2026-01-05T08:00:00Z", amount)).encode()
        zone.put(name, content)
        path = other.root / "raw" / "orders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    for one, declared in ((lake, source(zone)), (other, orders)):
        take(one, declared)
        build(one, [JAN_5], declared)

    assert lake.read("interim", "orders", JAN_5).equals(other.read("interim", "orders", JAN_5))
    assert lake.read("interim", "orders", JAN_5)["amount"].to_list() == [Decimal("3.00")]


def test_an_object_that_is_written_again_corrects_the_one_before(zone: BucketObjects, lake: Lake) -> None:
    put(zone, "orders_2026-01-05.csv", order("o1", "2026-01-05T08:00:00Z", "1.00"))
    take(lake, source(zone))
    put(zone, "orders_2026-01-05.csv", order("o1", "2026-01-05T08:00:00Z", "2.50"))

    taken = take(lake, source(zone))
    build(lake, [JAN_5], source(zone))

    assert taken.changed == ["orders_2026-01-05.csv"]
    assert lake.read("interim", "orders", JAN_5)["amount"].to_list() == [Decimal("2.50")]


def test_an_object_that_is_replaced_between_the_list_and_the_read_is_left_to_the_next_run(
    zone: BucketObjects, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(zone, "orders_2026-01-05.csv", order("o1", "2026-01-05T08:00:00Z"))
    put(zone, "orders_2026-01-06.csv", order("o2", "2026-01-06T08:00:00Z"))
    listed = BucketZone.look

    def replaced_then(self: BucketZone, taken: Mapping[str, Mark]) -> object:
        found = listed(self, taken)
        put(zone, "orders_2026-01-05.csv", order("o9", "2026-01-05T08:00:00Z", "100.00"))
        return found

    monkeypatch.setattr(BucketZone, "look", replaced_then)
    first = take(lake, source(zone))
    monkeypatch.setattr(BucketZone, "look", listed)

    assert (first.waiting, first.problems, ids(lake)) == (["orders_2026-01-05.csv"], [], ["o2"])
    take(lake, source(zone))
    assert ids(lake) == ["o2", "o9"]


def test_a_large_object_that_is_replaced_between_two_parts_of_it_is_no_mixture(
    zone: BucketObjects, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_zone, "_LARGE", 64)
    put(zone, "orders.csv", *(order(f"o{number}", "2026-01-05T08:00:00Z") for number in range(9)))
    read = BucketObjects.get

    def then_replaced(self: BucketObjects, key: str, part: slice | None = None) -> object:
        found = read(self, key, part)
        if part is not None and part.start == 64:
            put(zone, "orders.csv", *(order(f"x{number}", "2026-01-05T08:00:00Z") for number in range(9)))
        return found

    monkeypatch.setattr(BucketObjects, "get", then_replaced)
    first = take(lake, source(zone))
    monkeypatch.setattr(BucketObjects, "get", read)
    take(lake, source(zone))

    assert first.waiting == ["orders.csv"]
    assert ids(lake) == [f"x{number}" for number in range(9)]


def test_what_is_no_file_of_the_source_is_named(zone: BucketObjects, lake: Lake) -> None:
    zone.put("page.csv", b"<html><body>Log in</body></html>\n")
    zone.put("notes.doc", b"x")
    put(zone, "orders_2026-01-05.csv", order("o1", "2026-01-05T08:00:00Z"), "broken")

    taken = take(lake, source(zone))

    assert ids(lake) == ["o1"]
    assert quarantined(lake).height == 1
    assert sorted(problem.name for problem in taken.problems) == ["notes.doc", "page.csv"]
    assert {p.name: p for p in taken.problems}["notes.doc"].reason.startswith("is of no format we read")
    zone.delete("page.csv")
    assert [problem.name for problem in take(lake, source(zone)).problems] == ["notes.doc"]


def test_damaged_events_are_made_again_from_the_bucket(zone: BucketObjects, lake: Lake) -> None:
    put(zone, "orders_2026-01-05.csv", order("o1", "2026-01-05T08:00:00Z"))
    put(zone, "other.csv", order("o2", "2026-01-05T08:00:00Z"))
    take(lake, source(zone))
    ledger = Ledger.load(lake, "orders", source_version(source(zone)))
    [delivery] = [d for d in ledger.deliveries.values() if d.source_file == "orders_2026-01-05.csv"]
    ledger.event_path(delivery, JAN_5).write_bytes(b"damaged")

    assert take(lake, source(zone)).problems == []
    assert ids(lake) == ["o1", "o2"]

    ledger.event_path(delivery, JAN_5).write_bytes(b"damaged")
    zone.delete("orders_2026-01-05.csv")
    [told] = take(lake, source(zone)).problems
    assert f"no file in {zone.address} has the content it had" in told.reason


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(kind="refuse", method="GET", status=503, times=99), "cannot be listed: 503"),
        (Fault(kind="refuse", method="GET", status=403, times=99), "cannot be listed: refused, 403"),
        (Fault(kind="cut", method="GET", times=99), "cannot be listed: no answer"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_server_that_does_not_give_the_list_is_named_and_nothing_of_credentials(
    zone: BucketObjects, proxy: FaultProxy, lake: Lake, monkeypatch: pytest.MonkeyPatch, fault: Fault, said: str
) -> None:
    put(zone, "orders.csv", order("o1", "2026-01-05T08:00:00Z"))
    intake = intake_of(lake, source(zone))
    assert isinstance(intake, BucketZone)
    intake._objects = BucketObjects(address=read_address(f"{zone.address}"), patience=Patience(seconds=0.5, retries=1))
    proxy.faults = [replace(fault)]

    found, [problem] = intake.look({})

    assert found == []
    assert (problem.name, problem.reason[: len(said)]) == (f"{zone.address}", said)
    assert not any(secret in f"{problem}" for secret in KEEPER.values())
    proxy.faults = []
    assert [pending.name for pending in intake.look({})[0]] == ["orders.csv"]


def test_an_object_that_cannot_be_read_now_is_read_by_the_next_run_and_others_meanwhile(
    zone: BucketObjects, proxy: FaultProxy, lake: Lake
) -> None:
    put(zone, "orders_2026-01-05.csv", order("o1", "2026-01-05T08:00:00Z"))
    put(zone, "orders_2026-01-06.csv", order("o2", "2026-01-06T08:00:00Z"))
    proxy.faults = [Fault(kind="refuse", method="GET", status=403, times=99, path="01-05.csv")]

    taken = take(lake, source(zone))

    [problem] = taken.problems
    assert (problem.name, problem.reason) == ("orders_2026-01-05.csv", "cannot be opened: refused, 403")
    proxy.faults = [Fault(kind="refuse", method="GET", status=503, times=1, path="01-05.csv")]
    proxy.delay = 0.05
    assert take(lake, source(zone)).problems == []
    assert ids(lake) == ["o1", "o2"]


def test_a_bucket_without_credentials_or_that_is_not_there_is_named(
    zone: BucketObjects, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(orders, feed=Files("s3://no-such-bucket/orders"))
    assert [f"{p.name}: {p.reason}" for p in take(lake, absent).problems] == [
        "s3://no-such-bucket/orders: cannot be listed: there is no such bucket"
    ]
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    [told] = take(lake, source(zone)).problems
    assert "there are no credentials for it. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in told.reason


def test_the_folder_of_a_source_whose_files_are_in_a_bucket_is_idle_and_rows_cannot_be_pushed_to_it(
    zone: BucketObjects, lake: Lake
) -> None:
    (lake.root / "raw" / "orders").mkdir()

    [idle] = find_idle_folders(lake, [source(zone)])

    assert (idle.name, idle.reason) == (
        "orders",
        "no source of that name takes files from there, its files are not read",
    )
    assert why_not(source(zone)) == "its files come from a bucket"


@pytest.mark.parametrize("address", ["s3://user:s3cret@bucket/x", "http://bucket/x", "bucket", "s3://b/x?key=s3cret"])
def test_an_address_that_is_none_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(SettingsError, match="must be s3://BUCKET/PREFIX") as refused:
        Catalog(sources=(replace(orders, feed=Files(address)),))

    assert "s3cret" not in f"{refused.value}"


@pytest.mark.long
def test_a_lake_in_a_bucket_takes_them_once_whichever_machine_pulls(
    zone: BucketObjects, server: ObjectServer, tmp_path: Path
) -> None:
    put(zone, "orders_2026-01-05.csv", order("o1", "2026-01-05T08:00:00Z"))

    bucket(server, "lakes/of-a-zone").put("raw/.keep", b"-")  # a lake begins where there is a drop zone
    (tmp_path / "zone_catalog.py").write_text(_CATALOG.format(location=f"{zone.address}"))
    environ = server.environ() | {"MLPIPE_CATALOG": "zone_catalog:CATALOG", "PYTHONPATH": f"{tmp_path}"}

    def pull(name: str) -> int:
        machine = Machine(folder=tmp_path / name, data_dir=f"s3://{BUCKET}/lakes/of-a-zone", environ=environ)
        [found] = json.loads(machine.mlpipe("pull", "orders", "--json"))["sources"]
        return int(found["received"])

    first = pull("a")
    put(zone, "orders_2026-01-06.csv", order("o2", "2026-01-06T08:00:00Z"))

    assert (first, pull("b")) == (1, 1)


def test_what_servers_answered_is_taken_from_the_folder_that_they_put_it_into() -> None:
    with pytest.raises(SettingsError, match="servers put what they answered into the folder of this source"):
        Catalog(sources=(replace(serving_log, feed=Files("s3://lake/answers")),))


def test_a_source_of_files_in_its_folder_has_the_version_that_it_had() -> None:
    assert source_version(replace(orders, feed=Files())) == source_version(orders)
    assert source_version(replace(orders, feed=Files("s3://lake/x"))) != source_version(orders)
