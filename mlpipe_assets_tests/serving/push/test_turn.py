"""Two servers of one data folder: a request that comes to both, at once or one after the other, brings its rows once."""

import asyncio
import fcntl
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlpipe_assets.errors import MlpipeError
from mlpipe_assets.serving.push.marks import Marks
from mlpipe_assets.serving.push.pushing import Pushing, Taken
from mlpipe_assets.serving.snapshots.snapshot import OnlineError
from mlpipe_assets.serving.spool import Spool
from mlpipe_assets_tests.serving.pushing import event, source


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[], Pushing]]:
    """Begins one more server of the same data folder."""
    begun: list[Pushing] = []

    def begin() -> Pushing:
        begun.append(
            Pushing(
                source=source,
                spool=Spool(root=tmp_path, source=source.name, sync=True),
                marks=Marks(),
                late=lambda rows: rows["event_date"].is_null(),
                taken=lambda: None,
            )
        )
        return begun[-1]

    yield begin
    for one in begun:
        one.spool.close()


def push(one: Pushing, key: str, *rows: str) -> Taken:
    return asyncio.run(one.push(key, list(rows)))


def row(ident: str) -> str:
    return json.dumps(event(ident, "ann"))


def written(root: Path) -> list[str]:
    files = sorted((root / "raw" / source.name).glob("*.jsonl"))  # those that are open, too
    return [line for path in files for line in path.read_text().splitlines()]


def test_a_request_that_comes_to_two_servers_one_right_after_the_other_is_written_once(
    server: Callable[[], Pushing], tmp_path: Path
) -> None:
    first, second = server(), server()

    told = [push(one, "k1", row("e1"), row("e2")) for one in (first, second)]

    assert [taken.rows for taken in told] == [2, 2]
    assert len(written(tmp_path)) == 2
    assert (first.counts.repeated, second.counts.repeated) == (0, 2)


def test_requests_that_come_to_two_servers_at_the_same_moment_are_written_once(
    server: Callable[[], Pushing], tmp_path: Path
) -> None:
    def push_all(one: Pushing) -> list[Taken]:
        return [push(one, f"k{n}", row(f"e{n}")) for n in range(30)]

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(push_all, server()) for _ in range(2)]
        assert all(taken.rows == 1 for one in asked for taken in one.result(timeout=60))

    assert len(written(tmp_path)) == 30


def test_a_request_is_known_to_the_other_server_after_its_file_was_handed_over(
    server: Callable[[], Pushing], tmp_path: Path
) -> None:
    first, second = server(), server()
    push(first, "k1", row("e1"))
    push(second, "k2", row("e2"))
    first.spool.close()

    push(second, "k1", row("e1"))

    assert len(written(tmp_path)) == 2


def test_other_rows_under_the_key_of_a_request_to_another_server_are_refused(
    server: Callable[[], Pushing], tmp_path: Path
) -> None:
    push(server(), "k1", row("e1"))

    with pytest.raises(MlpipeError, match="Other rows came under this Idempotency-Key"):
        push(server(), "k1", row("e2"))


def test_a_server_that_does_not_let_go_keeps_a_request_no_longer_than_it_can_wait(
    server: Callable[[], Pushing], tmp_path: Path
) -> None:
    one = server()
    push(one, "k1", row("e1"))
    one.turn.patience = 0.05
    with (tmp_path / "raw" / source.name / ".push-turn").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(OnlineError, match=r"Another server has been writing for 0\.05 s"):
            push(one, "k2", row("e2"))
        assert push(one, "", row("e3")).rows == 1  # without a key nobody has to wait

    assert push(one, "k2", row("e2")).rows == 1
