"""A bucket whose server is slow, busy, full, gone, or whose answers are lost on the way."""

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlpipe_assets.concurrency import in_order
from mlpipe_assets.store.bucket.address import read_address
from mlpipe_assets.store.bucket.client import Patience
from mlpipe_assets.store.bucket.objects import BucketObjects
from mlpipe_assets.store.objects import (
    ABSENT,
    ANY,
    ConflictError,
    DeniedError,
    FullError,
    MissingError,
    StoreError,
    UnreachableError,
)
from mlpipe_assets_tests.fault_proxy import Fault, FaultProxy, fault_proxy
from mlpipe_assets_tests.object_server import READER, ObjectServer, object_server
from mlpipe_assets_tests.store.processes import start
from mlpipe_assets_tests.store.stores import bucket

KEY = "meta/tables/interim.orders.json"
QUICK = Patience(seconds=0.3, retries=2)
LOST = [
    Fault(kind="cut", method="PUT"),
    Fault(kind="forge", method="PUT", status=503),
    Fault(kind="hang", method="PUT"),
]


@pytest.fixture
def proxy(server_of_objects: ObjectServer) -> Iterator[FaultProxy]:
    with fault_proxy(server_of_objects.port) as found:
        yield found


@pytest.fixture
def objects(server_of_objects: ObjectServer, proxy: FaultProxy, request: pytest.FixtureRequest) -> BucketObjects:
    """A store behind the proxy, in a prefix of its own, that knows its names already."""
    found = bucket(
        server_of_objects,
        f"faults/{request.node.name}".replace("[", "/").strip("]"),
        endpoint=proxy.endpoint,
        patience=QUICK,
    )
    found.put("meta/tables/other.json", b"")
    proxy.seen.clear()
    return found


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.kind)
def test_a_write_whose_answer_was_lost_is_known_to_be_ours(
    objects: BucketObjects, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.faults = [replace(fault)]
    made = objects.put(KEY, b"1", ABSENT)
    assert (objects.get(KEY).content, objects.get(KEY).tag) == (b"1", made)

    proxy.faults = [replace(fault)]
    changed = objects.put(KEY, b"2", made)

    assert (objects.get(KEY).content, objects.get(KEY).tag) == (b"2", changed)
    assert proxy.faults[0].times == 0


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.kind)
def test_a_write_whose_answer_was_lost_is_not_taken_for_one_of_the_same_content(
    objects: BucketObjects, proxy: FaultProxy, fault: Fault
) -> None:
    first = objects.put(KEY, b"1")
    objects.put(KEY, b"2")
    proxy.faults = [replace(fault), replace(fault)]

    with pytest.raises(ConflictError):
        objects.put(KEY, b"2", first)
    with pytest.raises(ConflictError):
        objects.put(KEY, b"2", ABSENT)


@pytest.mark.faults
def test_a_server_that_is_busy_with_another_write_is_asked_again(objects: BucketObjects, proxy: FaultProxy) -> None:
    proxy.faults = [Fault(kind="refuse", method="PUT", status=409, times=2)]
    tag = objects.put(KEY, b"1", ABSENT)
    assert objects.get(KEY).tag == tag

    proxy.faults = [Fault(kind="refuse", method="PUT", status=409, times=1)]
    objects.put(KEY, b"2", tag)
    assert objects.get(KEY).content == b"2"

    proxy.faults = [Fault(kind="refuse", method="PUT", status=409, times=99)]
    with pytest.raises(UnreachableError, match="another write is under way"):
        objects.put("meta/tables/new.json", b"1", ABSENT)
    proxy.faults = []
    assert objects.head("meta/tables/new.json") is None


SECONDS = 5.0
BUSY = [Fault(kind="refuse", method="", status=status) for status in (500, 503, 429)]
CALLS: dict[str, Callable[[BucketObjects], object]] = {
    "GET": lambda objects: objects.get("meta/tables/other.json"),
    "PUT": lambda objects: objects.put("meta/tables/other.json", b""),
    "POST": lambda objects: objects.delete("meta/tables/other.json"),
    "HEAD": lambda objects: objects.head("meta/tables/other.json"),
}


@pytest.mark.faults
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "fault", [*BUSY, Fault(kind="cut", method="")], ids=lambda fault: f"{fault.kind}{fault.status}"
)
def test_what_does_not_last_is_waited_out(objects: BucketObjects, proxy: FaultProxy, fault: Fault, call: str) -> None:
    proxy.faults = [replace(fault, method=call, times=1)]

    CALLS[call](objects)

    assert proxy.faults[0].times == 0


@pytest.mark.faults
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", [BUSY[1], Fault(kind="hang", method="")], ids=lambda fault: fault.kind)
def test_what_lasts_ends_in_time_with_words(objects: BucketObjects, proxy: FaultProxy, fault: Fault, call: str) -> None:
    proxy.faults = [replace(fault, method=call, times=99)]
    before = time.monotonic()

    with pytest.raises(UnreachableError, match=r"faults/.*: the object storage does not answer \(.+\)\. .*run again\."):
        CALLS[call](objects)

    assert proxy.count(call) <= QUICK.retries + 1
    assert time.monotonic() - before < SECONDS


def test_a_body_that_breaks_off_is_read_on_or_reported_and_never_taken_for_whole(
    objects: BucketObjects, proxy: FaultProxy
) -> None:
    objects.put("raw/a.csv", bytes(range(256)) * 400)
    proxy.faults = [Fault(kind="truncate", method="GET")]
    assert objects.get("raw/a.csv").content == bytes(range(256)) * 400

    proxy.faults = [Fault(kind="truncate", method="GET", times=99)]
    with pytest.raises(UnreachableError):
        objects.get("raw/a.csv")


def test_a_full_server_leaves_the_object_as_it_was(objects: BucketObjects, proxy: FaultProxy) -> None:
    objects.put(KEY, b"old")
    proxy.faults = [Fault(kind="refuse", method="PUT", status=507, times=99)]

    with pytest.raises(FullError, match=r"No space left to write s3://lake/.*orders\.json\. Nothing was replaced"):
        objects.put(KEY, b"new")

    assert objects.get(KEY).content == b"old"


def test_who_may_not_is_denied_by_every_method(server_of_objects: ObjectServer) -> None:
    wrong = server_of_objects.environ({"accessKey": "keeper-key", "secretKey": "canary-secret"})
    stranger = BucketObjects(address=read_address("s3://lake/denied", wrong), patience=QUICK)
    for call in (
        lambda: stranger.get(KEY),
        lambda: stranger.head(KEY),
        lambda: stranger.put(KEY, b""),
        lambda: stranger.put(KEY, b"", ABSENT),
        stranger.list,
        lambda: stranger.delete(KEY),
        lambda: stranger.put_stream(KEY, [b""]),
        stranger.expect_bucket,
    ):
        with pytest.raises(DeniedError, match="refuses this user") as raised:
            call()
        assert "canary" not in "".join(traceback.format_exception(raised.value))


def test_who_may_only_read_reads_and_is_denied_a_write(server_of_objects: ObjectServer) -> None:
    bucket(server_of_objects, "readable").put(KEY, b"1")
    reader = BucketObjects(
        address=read_address("s3://lake/readable", server_of_objects.environ(READER)), patience=QUICK
    )

    assert reader.get(KEY).content == b"1"
    assert [head.key for head in reader.list()] == [KEY]
    for condition in (ANY, reader.get(KEY).tag):
        with pytest.raises(DeniedError):
            reader.put(KEY, b"2", condition)


def test_a_bucket_that_is_not_there_is_not_an_empty_one(server_of_objects: ObjectServer) -> None:
    nowhere = BucketObjects(address=read_address("s3://lakes/p", server_of_objects.environ()), patience=QUICK)

    for call in (nowhere.expect_bucket, nowhere.list, lambda: nowhere.get(KEY), lambda: nowhere.put(KEY, b"", ABSENT)):
        with pytest.raises(StoreError, match=r"does not exist\. Is MLPIPE_DATA_DIR right") as raised:
            call()
        assert not isinstance(raised.value, MissingError)


def test_nothing_of_a_server_or_a_signature_is_in_an_error(objects: BucketObjects, proxy: FaultProxy) -> None:
    told = b"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>canary</AWSAccessKeyId><StringToSign>canary</StringToSign></Error>"
    for status in (400, 403, 500):
        proxy.faults = [Fault(kind="refuse", method="GET", status=status, body=told, times=99)]
        with pytest.raises(StoreError, match=f"{status} SignatureDoesNotMatch") as raised:
            objects.get(KEY)
        shown = f"{raised.value} {raised.value!r}" + "".join(traceback.format_exception(raised.value))
        assert "canary" not in shown
        assert "127.0.0.1" not in f"{raised.value} {raised.value!r}"
    assert "canary" not in repr(objects)


def test_a_stream_that_breaks_leaves_no_upload_open(objects: BucketObjects, proxy: FaultProxy) -> None:
    def broken() -> Iterator[bytes]:
        for _ in range(5):
            yield bytes(4 << 20)
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        objects.put_stream("raw/big", broken())

    begun = [line for line in proxy.seen if line.startswith("POST") and "uploads" in line]
    ended = [line for line in proxy.seen if line.startswith("DELETE") and "uploadId=" in line]
    assert len(begun) == len(ended) == 1
    assert objects.head("raw/big") is None


@pytest.mark.long
def test_a_stream_of_500_mb_is_not_held_in_memory(server_of_objects: ObjectServer) -> None:
    write = """
import resource
def blocks():
    for number in range(500):
        yield bytes([number % 256]) * (1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
written = objects.put_stream("raw/big", blocks())
print(written.size, written.tag == objects.head("raw/big").tag, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    process = start(bucket(server_of_objects, "big"), write, environ=server_of_objects.environ())
    out, _ = process.communicate(timeout=120)

    size, same, kilobytes = out.split()
    assert (size, same) == (f"{500 << 20}", "True")
    assert int(kilobytes) < 120_000
    assert bucket(server_of_objects, "big").get("raw/big", slice(-3, None)).content == bytes([499 % 256]) * 3


@pytest.mark.faults
def test_what_a_server_has_taken_outlives_it(tmp_path: Path) -> None:
    with object_server(tmp_path) as server:
        objects = bucket(server, "lake", patience=QUICK)
        kept: dict[str, bytes] = {}
        for number in range(60):
            content = f"{number}".encode() * number * 300
            objects.put(f"raw/{number}", content, ABSENT)
            kept[f"raw/{number}"] = content
        server.kill()
        with pytest.raises(UnreachableError, match="no connection"):
            objects.put("raw/late", b"")
        server.start()

        assert {head.key for head in objects.list()} - {"raw/late"} == set(kept)
        assert {key: objects.get(key).content for key in kept} == kept


def test_what_other_tools_make_to_show_a_folder_is_no_object(objects: BucketObjects) -> None:
    objects._client.put("raw/orders", b"")
    objects._client.put("raw/orders/a.csv", b"1")
    objects._client.put("raw/empty.csv", b"")

    assert [head.key for head in objects.list("raw")] == ["raw/empty.csv", "raw/orders/a.csv"]


def test_a_version_is_replaced_by_one_request_and_a_name_is_looked_up_once(
    objects: BucketObjects, proxy: FaultProxy
) -> None:
    tag = objects.put(KEY, b"1", ABSENT)
    assert [line.split()[0] for line in proxy.seen] == ["GET", "PUT"]  # its folders are known
    proxy.seen.clear()

    objects.put(KEY, b"3", objects.put(KEY, b"2", tag))
    objects.put(KEY, b"4")

    assert [line.split()[0] for line in proxy.seen] == ["PUT", "PUT", "PUT"]


def test_contents_named_by_their_digest_need_no_look(objects: BucketObjects, proxy: FaultProxy) -> None:
    objects.put(f".store/{'a' * 64}", b"1")
    proxy.seen.clear()

    for _ in in_order(lambda number: objects.put(f".store/{number:064x}", b"1"), range(20), 8):
        pass

    assert [line.split()[0] for line in proxy.seen] == ["PUT"] * 20


def test_of_many_new_names_in_a_folder_one_looks_above(objects: BucketObjects, proxy: FaultProxy) -> None:
    for _ in in_order(lambda number: objects.put(f"models/{number:064x}", b"1"), range(20), 8):
        pass

    assert proxy.count("HEAD") == 1


def test_what_has_not_changed_is_not_sent_again(objects: BucketObjects, proxy: FaultProxy) -> None:
    tag = objects.put(KEY, b"1")
    proxy.seen.clear()

    assert objects.get_if_changed(KEY, tag) is None

    assert proxy.count() == 1
