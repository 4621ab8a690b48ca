"""A lake copied into a bucket and back: whole, held to its digests, gone on with after it broke off, and over nobody else's."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlpipe_assets.errors import BusyError, DamagedError, LakeError
from mlpipe_assets.store.copies.inventory import LEASE, ROOT
from mlpipe_assets.store.copies.moves import Copied, LakeMove
from mlpipe_assets.store.memory import MemoryObjects
from mlpipe_assets.store.objects import Condition, Found, Streamed, UnreachableError
from mlpipe_assets.store.run_locks import hold_run_lock

FILES = {
    "meta/a.json": "{}",
    "meta/tables/t.json": "manifest",
    "interim/t/date=2026-01-05/part.parquet": "rows",
    "models/m/1/model.skops": "a longer one, which comes in parts",
    "models/m/1/empty": "",
}
DELIVERIES = {"raw/orders/a.csv": "delivered", "raw/orders/b ü.csv": "a longer delivery"}
OF_THIS_MACHINE = {"meta/locks/raw.orders.lock": "7", "prototype/meta/a.json": "{}", "interim/t/.x.1.tmp": "half"}


@dataclass(kw_only=True)
class Bucket(MemoryObjects):
    """A bucket that can be cut off after `left` writes, and writes what `spoil` makes of a content."""

    left: int = 10**9
    spoil: Callable[[bytes], bytes] = bytes

    def put(self, key: str, content: bytes | memoryview, if_match: str | Condition = Condition.ANY) -> str:
        if key != LEASE:
            if not self.left:
                raise UnreachableError("cut off", reason="cut off")
            self.left -= 1
        return super().put(key, content, if_match)

    def put_stream(self, key: str, blocks: Iterable[bytes]) -> Streamed:
        content = b"".join(blocks)
        written = super().put_stream(key, [content])
        super().put(key, self.spoil(content))
        return written


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    root = tmp_path / "lake"
    for number, (key, text) in enumerate({**FILES, **DELIVERIES, **OF_THIS_MACHINE}.items()):
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, ns=(number, 1_700_000_000_000_000_000 + number))
    return root


def move(root: Path, bucket: Bucket) -> LakeMove:
    return LakeMove(root=root, objects=bucket, where="s3://lake/shop", large=10)


def files(root: Path) -> dict[str, str]:
    return {f"{path.relative_to(root)}": path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_lake_goes_into_a_bucket_and_comes_back_as_it_was(lake: Path, bucket: Bucket, tmp_path: Path) -> None:
    size, delivered = sum(map(len, FILES.values())), sum(len(text.encode()) for text in DELIVERIES.values())

    sent = move(lake, bucket).into_bucket()
    again = move(lake, bucket).into_bucket()
    back = move(tmp_path / "back", bucket).into_folder()

    assert sent == Copied(5, size, 2, delivered, size + delivered)
    assert again == sent._replace(sent=0)
    assert back == sent._replace(sent=size)
    assert files(tmp_path / "back") == {**FILES, **DELIVERIES}
    for key in FILES:
        assert (tmp_path / "back" / key).stat().st_mtime_ns == (lake / key).stat().st_mtime_ns
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "lake"]


@pytest.mark.parametrize("puts", range(11))  # two deliveries, five contents, three pages and the root
def test_a_copy_that_breaks_off_is_none_and_is_gone_on_with(lake: Path, bucket: Bucket, puts: int) -> None:
    bucket.left = puts
    with pytest.raises(UnreachableError):
        move(lake, bucket).into_bucket()
    assert bucket.head(ROOT) is None
    there = sum(head.size for head in bucket.list() if head.key != LEASE)
    bucket.left = 100

    copied = move(lake, bucket).into_bucket()

    pages = max(0, puts - 7)  # those are sent again
    assert pages or copied.sent + there == copied.size + copied.delivered_size
    assert not pages or copied.sent == 0


def test_a_copy_into_a_folder_that_breaks_off_is_none_and_is_gone_on_with(
    lake: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(lake, bucket).into_bucket()
    get, asked = bucket.get, list[str]()

    def cut_off(key: str, part: slice | None = None) -> Found:
        asked.append(key)
        if key == "raw/orders/a.csv":
            raise UnreachableError("cut off", reason="cut off")
        return get(key, part)

    with monkeypatch.context() as cutting:
        cutting.setattr(bucket, "get", cut_off)
        with pytest.raises(UnreachableError):
            move(tmp_path / "back", bucket).into_folder()
        assert not (tmp_path / "back").exists()
        asked.clear()
        with pytest.raises(UnreachableError):
            move(tmp_path / "back", bucket).into_folder()
        assert not any(key.startswith(".store/") for key in asked)

    assert move(tmp_path / "back", bucket).into_folder().sent == 0
    assert files(tmp_path / "back") == {**FILES, **DELIVERIES}


def test_what_does_not_come_back_as_it_was_written_is_no_copy(lake: Path, bucket: Bucket) -> None:
    bucket.spoil = lambda content: content[:-1] + b"?"

    with pytest.raises(DamagedError, match="does not hold what was just written to it"):
        move(lake, bucket).into_bucket()

    assert bucket.head(ROOT) is None
    bucket.spoil = bytes
    move(lake, bucket).into_bucket()


def test_a_lake_that_is_written_meanwhile_is_not_copied(lake: Path, bucket: Bucket) -> None:
    def write(content: bytes) -> bytes:
        (lake / "meta/a.json").write_text("changed")
        return content

    bucket.spoil = write
    with pytest.raises(BusyError, match=r"meta/a\.json was written while the lake was being copied"):
        move(lake, bucket).into_bucket()
    bucket.spoil = bytes
    with hold_run_lock(lake, "r"), pytest.raises(BusyError, match="1 run under way"):
        move(lake, bucket).into_bucket()

    assert bucket.head(ROOT) is None


def test_nothing_is_copied_over_another_lake(lake: Path, bucket: Bucket, tmp_path: Path) -> None:
    move(lake, bucket).into_bucket()
    (lake / "meta/a.json").write_text("another")
    with pytest.raises(LakeError, match="s3://lake/shop holds another lake, or this one as it was at another time"):
        move(lake, bucket).into_bucket()
    with pytest.raises(LakeError, match="is there and not empty"):
        move(lake, bucket).into_folder()
    for key, what in (
        ("raw/orders/of-another.csv", "deliveries that are not"),
        ("meta/tables/t.json", "and no meta/root"),
    ):
        other = Bucket()
        other.put(key, b"1")
        with pytest.raises(LakeError, match=what):
            move(lake, other).into_bucket()
        assert [head.key for head in other.list() if head.key != LEASE] == [key]
    with pytest.raises(LakeError, match="holds no lake and no deliveries"):
        move(tmp_path / "back", Bucket()).into_folder()
    assert not (tmp_path / "back").exists()
