"""`mlpipe checkout NAME --into DIR`: a lake of its own whose tables are as they were."""

import errno
import os
from pathlib import Path

import pytest

from mlpipe_assets.automation.pending import pending
from mlpipe_assets.errors import SettingsError
from mlpipe_assets.intake.deliveries import Ledger
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.tagging.checkout import go_back
from mlpipe_assets.tagging.own_lake import Written, write_lake
from mlpipe_assets.verification import verify
from mlpipe_assets_tests.frames import JAN_5, JAN_6, JAN_7, build, file_digests, order_ids
from mlpipe_assets_tests.tagging.lakes import NOON, publish
from mlpipe_assets_tests.tagging.test_held import ONLY_ORDERS, with_a_late_file


def into(lake: Lake, folder: Path, *tables: str) -> tuple[Lake, Written]:
    return Lake(data_dir=str(folder)), write_lake(lake, ONLY_ORDERS, "v1", folder, tables=tables, now=NOON)


def test_the_lake_that_is_written_holds_what_the_tag_says_and_goes_on_from_there(lake: Lake, tmp_path: Path) -> None:
    with_a_late_file(lake)
    before = file_digests(lake.root, ".")

    own, written = into(lake, tmp_path / "own")

    assert order_ids(own, JAN_5) == ["o1"]
    assert own.days("interim", "orders") == [JAN_5, JAN_6]
    assert (written.tables, written.links) == (("interim/orders",), True)
    assert len(Ledger.load(own, "orders").deliveries) == 4
    assert verify(own, ONLY_ORDERS, None, lambda _: None).wrong == []
    assert [work.days for work in pending(own, ONLY_ORDERS, lambda _: True) if work.days] == []
    go_back(own, ONLY_ORDERS)
    assert [work.days for work in pending(own, ONLY_ORDERS, lambda _: True) if work.days] == [(JAN_5, JAN_7)]
    build(own, [JAN_5, JAN_7])
    assert order_ids(own, JAN_5) == ["o1", "o9"]
    assert file_digests(lake.root, ".") == before


def test_what_is_written_into_one_lake_is_not_seen_in_the_other(lake: Lake, tmp_path: Path) -> None:
    with_a_late_file(lake)
    own, written = into(lake, tmp_path / "own")
    here = file_digests(own.root, ".")
    assert own.path("interim", "orders", JAN_6).samefile(lake.path("interim", "orders", JAN_6))

    publish(lake, {JAN_5: 1, JAN_6: 2, JAN_7: 3})
    build(lake, [JAN_5, JAN_6, JAN_7])

    assert file_digests(own.root, ".") == here
    assert written.linked > 0


def test_without_hard_links_files_are_copied_and_that_is_said(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_late_file(lake)

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", refuse)

    own, written = into(lake, tmp_path / "own")

    assert (written.links, written.linked) == (False, 0)
    assert written.copied > 0
    assert order_ids(own, JAN_5) == ["o1"]
    assert verify(own, ONLY_ORDERS, None, lambda _: None).wrong == []


def test_a_folder_in_use_or_within_the_lake_is_refused_and_nothing_is_left(lake: Lake, tmp_path: Path) -> None:
    with_a_late_file(lake)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    there = sorted(tmp_path.iterdir())

    for folder, why in (
        (tmp_path / "full", "is there already, and not an empty folder"),
        (lake.root / "own", "lie in each other"),
        (lake.root.parent, "lie in each other"),
    ):
        with pytest.raises(SettingsError, match=why):
            into(lake, folder)

    assert sorted(tmp_path.iterdir()) == there


def test_a_checkout_into_a_folder_that_dies_leaves_no_lake(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_late_file(lake)
    real, done = os.link, [0]

    def link(source: object, target: object) -> None:
        done[0] += 1
        if done[0] > 5:
            raise KeyboardInterrupt
        real(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(KeyboardInterrupt):
        into(lake, tmp_path / "own")
    monkeypatch.setattr(os, "link", real)

    assert not (tmp_path / "own").exists()
    own, _ = into(lake, tmp_path / "own")
    assert order_ids(own, JAN_5) == ["o1"]
