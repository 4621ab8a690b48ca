"""What every online store promises, held on SQLite, on a real Redis and on a real PostgreSQL."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import polars as pl
import pytest
import redis

from mlpipe_assets.errors import LakeError, MlpipeError
from mlpipe_assets.serving.snapshots import snapshot as snapshots
from mlpipe_assets.serving.snapshots.addresses import open_store
from mlpipe_assets.serving.snapshots.online_store import OnlineStore, Reader, Rows
from mlpipe_assets.serving.snapshots.rows import parse_rows
from mlpipe_assets.serving.snapshots.snapshot import GoneError, OnlineError, Snapshot, ViewRows
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.servers import postgres_server, redis_server
from mlpipe_assets_tests.serving.published import AS_OF, published, snapshot, view_rows

SECONDS = int(AS_OF.timestamp())
Opened = Callable[[], OnlineStore]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Callable[[], str]]]:
    """The address of each server, which is started when it is first asked for."""
    from contextlib import ExitStack
    from functools import cache

    with ExitStack() as running:
        yield {
            "sqlite": lambda: "",
            "redis": cache(lambda: running.enter_context(redis_server(tmp_path_factory.mktemp("redis")))),
            "postgres": cache(lambda: running.enter_context(postgres_server(tmp_path_factory.mktemp("postgres")))),
        }


@pytest.fixture(
    params=["sqlite", pytest.param("redis", marks=pytest.mark.long), pytest.param("postgres", marks=pytest.mark.long)]
)
def opened(
    request: pytest.FixtureRequest, lake: Lake, addresses: Mapping[str, Callable[[], str]], tmp_path: Path
) -> Opened:
    """Opens one empty store, again and again."""
    address = addresses[request.param]()
    option = {"redis": "prefix", "postgres": "schema"}.get(request.param)
    own = f"{address}?{option}={tmp_path.name.lower()}" if option else address
    return lambda: open_store(lake, own)


def values(store: OnlineStore, view: str, *keys: str) -> list[list[object] | None]:
    """What the present snapshot says of some keys."""
    present = store.line().present
    assert present
    reader = store.open(present)
    found = reader.read({view: keys})[view]
    reader.close()
    return parse_rows(found)


async def fetch(store: OnlineStore, reader: Reader, wanted: Mapping[str, Sequence[str]]) -> list[Rows]:
    """What a server reads, twenty times at once."""
    found = list(await asyncio.gather(*(reader.fetch(wanted) for _ in range(20))))
    store.close()
    await asyncio.sleep(0.01)
    return found


def test_an_empty_store_has_no_snapshot(opened: Opened) -> None:
    assert opened().line().present is None
    with pytest.raises(OnlineError, match="nothing to take back"):
        opened().roll_back("try")


def test_a_published_snapshot_answers_for_each_key_of_each_view(opened: Opened) -> None:
    generation = opened().publish(snapshot("a", spend={"ann": 1, "bob": None}, visits={"ann": 7}))

    store = opened()
    reader = store.open(generation)
    found = reader.read({"spend": ["bob", "nobody", "ann", "ann"], "visits": ["ann", "bob"]})
    assert parse_rows(found["spend"]) == [[SECONDS, None, "Porto"], None, [SECONDS, 1, "Porto"], [SECONDS, 1, "Porto"]]
    assert parse_rows(found["visits"]) == [[SECONDS, 7, "Porto"], None]
    assert (
        asyncio.run(fetch(store, reader, {"spend": ["bob", "nobody"], "visits": ["ann"]}))
        == [{"spend": found["spend"][:2], "visits": found["visits"][:1]}] * 20
    )
    assert store.line().present == generation
    assert generation.views["spend"] == published("spend", rows=2)


def test_a_newer_snapshot_takes_the_place_of_all_views_and_a_reader_keeps_its_own(opened: Opened) -> None:
    store = opened()
    first = store.publish(snapshot("a", spend={"ann": 1}, visits={"ann": 1}))
    reader = store.open(first)

    second = opened().publish(snapshot("b", spend={"ann": 2}, visits={"ann": 2}))

    assert store.line().present == second
    assert values(store, "spend", "ann") == [[SECONDS, 2, "Porto"]]
    assert [parse_rows(rows) for rows in reader.read({"spend": ["ann"], "visits": ["ann"]}).values()] == [
        [[SECONDS, 1, "Porto"]],
        [[SECONDS, 1, "Porto"]],
    ]


def test_a_rollback_lets_the_one_before_answer_and_remembers_why(opened: Opened) -> None:
    store = opened()
    first = store.publish(snapshot("a", spend={"ann": 1}))
    again = store.publish(snapshot("b", spend={"ann": 2}))
    second = store.publish(snapshot("b", spend={"ann": 2}))

    back = opened().roll_back("complaints")

    assert back.id == first.id
    assert values(store, "spend", "ann") == [[SECONDS, 1, "Porto"]]
    withdrawn = {one.id: one.withdrawn for one in store.line().generations}
    assert withdrawn == {first.id: None, again.id: None, second.id: "complaints"}
    assert store.line().is_published("b")
    assert not store.line().is_published("c")
    with pytest.raises(OnlineError, match=r"There is no snapshot before .* that says anything else"):
        store.roll_back("again")


def test_three_snapshots_are_kept_and_older_ones_go_when_nobody_reads_them(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    made = [store.publish(snapshot(name, spend={"ann": 1})) for name in "abcd"]
    assert [one.id for one in store.line().generations] == [one.id for one in reversed(made)]

    monkeypatch.setattr(snapshots, "GRACE", timedelta(0))
    made.append(store.publish(snapshot("e", spend={"ann": 1})))

    assert [one.id for one in store.line().generations] == [one.id for one in reversed(made[2:])]
    for gone in made[:2]:
        with pytest.raises(GoneError):
            store.open(gone)
    store.open(made[2]).close()


def test_keys_of_several_columns_and_strange_texts_do_not_collide(opened: Opened) -> None:
    odd = ["a|b", "", "\0", "\\0", "\t\n\r\\", "é🙂", "'; drop table x; --", "\0snapshot"]
    pairs = [("a|b", "c"), ("a", "b|c"), ("1:a", "b"), ("", "")]
    frame = pl.DataFrame({"left": [a for a, _ in pairs], "right": [b for _, b in pairs], "as_of": AS_OF}).with_columns(
        pl.col("as_of").dt.cast_time_unit("us"), orders=pl.int_range(pl.len()), city=pl.col("left")
    )
    both = ViewRows(view=published("both", keys=("left", "right"), rows=4), frame=frame)
    one = view_rows("one", {text: n for n, text in enumerate(odd)})

    store = opened()
    store.publish(Snapshot(inputs="a", views=(one, both)))

    assert values(store, "one", *odd) == [[SECONDS, n, "Porto"] for n in range(len(odd))]
    spelled = ["3:a|b1:c", "1:a3:b|c", "3:1:a1:b", "0:0:"]
    assert values(store, "both", *spelled) == [[SECONDS, n, left] for n, (left, _) in enumerate(pairs)]


def test_what_fails_half_way_is_not_seen(opened: Opened) -> None:
    store = opened()
    first = store.publish(snapshot("a", spend={"ann": 1}, visits={"ann": 1}))
    good = view_rows("spend", {"ann": 2})
    bad = ViewRows(view=published("visits"), frame=good.frame.drop("city"))

    with pytest.raises(KeyError):
        store.publish(Snapshot(inputs="b", views=(good, bad)))

    assert store.line().present == first
    assert values(store, "spend", "ann") == [[SECONDS, 1, "Porto"]]
    assert store.publish(snapshot("c", spend={"ann": 3})).id != first.id


def test_what_is_expected_is_asked_before_anybody_sees_it(opened: Opened) -> None:
    store = opened()
    first = store.publish(snapshot("a", spend={"ann": 1}))
    seen: list[object] = []

    def refuse(reader: Reader) -> None:
        seen.extend(parse_rows(reader.read({"spend": ["ann", "bob"]})["spend"]))
        assert opened().line().present == first
        raise OnlineError("not as expected")

    with pytest.raises(OnlineError, match="not as expected"):
        store.publish(snapshot("b", spend={"ann": 2}), refuse)

    assert seen == [[SECONDS, 2, "Porto"], None]
    assert [one.id for one in opened().line().generations] == [first.id]
    assert values(opened(), "spend", "ann") == [[SECONDS, 1, "Porto"]]


def test_readers_see_one_snapshot_whole_while_others_are_published(opened: Opened) -> None:
    store = opened()
    store.publish(snapshot("0", spend={"ann": 0, "bob": 0}, visits={"ann": 0}))
    done, seen = Event(), []

    def publish() -> None:
        writer = opened()
        for number in range(1, 15):
            writer.publish(snapshot(f"{number}", spend={"ann": number, "bob": number}, visits={"ann": number}))
        done.set()

    thread = Thread(target=publish)
    thread.start()
    while not done.is_set():
        present = store.line().present
        assert present
        reader = store.open(present)
        found = reader.read({"spend": ["ann", "bob"], "visits": ["ann"]})
        seen.append({row[1] for rows in found.values() for row in parse_rows(rows) if row})
        reader.close()
    thread.join()

    assert {len(numbers) for numbers in seen} == {1}


def test_an_error_shows_neither_user_nor_password(lake: Lake) -> None:
    for address in (
        "redis://keeper:s3cretword@127.0.0.1:1/0",
        "postgresql://keeper:s3cretword@127.0.0.1:1/shop?password=s3cretword",
        "mongodb://keeper:s3cretword@127.0.0.1/0",
        "redis://keeper:s3cretword@127.0.0.1:port/0",
    ):
        with pytest.raises(MlpipeError) as caught:
            open_store(lake, address).line()
        assert "s3cretword" not in f"{caught.value}{caught.value.__cause__}"
        assert "keeper" not in f"{caught.value}"


def test_a_damaged_file_is_no_snapshot_and_is_told_once(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(lake, "")
    store.publish(snapshot("a", spend={"ann": 1}))
    second = store.publish(snapshot("b", spend={"ann": 2}))
    (lake.root / "online" / "features" / f"{second.id}.sqlite").write_bytes(b"not SQLite")

    assert store.line().present is None
    assert store.line().present is None
    assert [f"The snapshot {second.id} is gone, or was changed" in line for line in caplog.messages] == [True]
    with pytest.raises(LakeError):
        store.open(second)
    store.publish(snapshot("b", spend={"ann": 2}))
    assert values(store, "spend", "ann") == [[SECONDS, 2, "Porto"]]
    assert min(path.name for path in (lake.root / "online" / "features").iterdir()).startswith("000001")


@pytest.mark.long
def test_a_server_survives_a_redis_that_hangs_and_one_that_comes_back(
    lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with redis_server(tmp_path_factory.mktemp("redis")) as address:
        store = open_store(lake, address)
        reader = store.open(store.publish(snapshot("a", spend={"ann": 1})))
        pid = redis.Redis.from_url(address).info()["process_id"]

        async def ask() -> list[str]:
            seen: list[str] = []
            for stopped in (False, True, False):
                os.kill(pid, signal.SIGSTOP if stopped else signal.SIGCONT)
                try:
                    async with asyncio.timeout(0.3):
                        seen += [str(row) for row in (await reader.fetch({"spend": ["ann"]}))["spend"]]
                except (TimeoutError, OnlineError) as error:
                    seen.append(type(error).__name__)
            store.close()
            await asyncio.sleep(0.01)
            return seen

        first, second, third = asyncio.run(ask())

    assert first == third
    assert second == "TimeoutError"


def test_a_publisher_that_dies_before_any_one_rename_leaves_one_of_the_two_snapshots_whole(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(lake, "")
    store.publish(snapshot("0", spend={"ann": 0}, visits={"ann": 0}))
    real, left, ended, number = os.replace, [0], False, 0

    def replace_or_die(source: str, target: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError
        real(source, target)

    while not ended:
        number += 1
        left[0] = number - 1
        monkeypatch.setattr(os, "replace", replace_or_die)
        try:
            store.publish(snapshot(f"{number}", spend={"ann": number}, visits={"ann": number}))
            ended = True
        except KilledError:
            pass
        monkeypatch.setattr(os, "replace", real)
        answered = {
            tuple(row or ()) for view in ("spend", "visits") for row in values(open_store(lake, ""), view, "ann")
        }
        assert answered in ({(SECONDS, number, "Porto")}, {(SECONDS, number - 1, "Porto")})
        store.publish(snapshot(f"{number}", spend={"ann": number}, visits={"ann": number}))

    assert number > 2
    assert not list((lake.root / "online").rglob("*.tmp"))
    files = {path.stem for path in (lake.root / "online" / "features").glob("*.sqlite")}
    assert files == {one.id for one in store.line().generations}


class KilledError(BaseException):
    """Stands for the end of the process."""
