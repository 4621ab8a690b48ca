"""Reports about files that other tools misread, re-created with small files of our own."""

import json
from pathlib import Path

import pytest

from mlpipe_assets.readers.open import read_blocks
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.frames import JAN_5, build, drop, order_ids, quarantined, take


def rows_of(path: Path, block_bytes: int = 16 << 20) -> list[dict[str, str]]:
    """Every record of a file; none may be refused."""
    found: list[dict[str, str]] = []
    for block in read_blocks(path, block_bytes=block_bytes):
        assert block.malformed.height == 0
        found += [json.loads(payload) for payload in block.records["payload"]]
    return found


@pytest.mark.parametrize("block_bytes", [512, 4096, 1 << 20])
def test_quoted_line_feeds_across_the_cuts_of_a_reader_stay_in_their_rows(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("n,note\n" + "".join(f'{n},"first ""{n}"",\nsecond\n"\n' for n in range(1041)))

    rows = rows_of(path, block_bytes)

    assert rows == [{"n": f"{n}", "note": f'first "{n}",\nsecond\n'} for n in range(1041)]


def test_a_file_whose_last_half_has_other_line_ends_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "mixed.tsv"
    path.write_bytes(
        b"id\tamount\n"
        + b"".join(b"%d\t1\n" % n for n in range(499))
        + b"".join(b"%d\t1\r\n" % n for n in range(499, 999))
    )

    rows = rows_of(path, 1024)

    assert [row["id"] for row in rows] == [f"{n}" for n in range(999)]
    assert {row["amount"] for row in rows} == {"1"}


def test_decimal_commas_and_lists_in_cells_do_not_decide_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "bank.csv"
    path.write_text("day;kind;amount;tags\n08/01/2016;A;-21.419,06;['345', '346']\n12/01/2016;A;-1.071,31;['10']\n")

    assert rows_of(path) == [
        {"day": "08/01/2016", "kind": "A", "amount": "-21.419,06", "tags": "['345', '346']"},
        {"day": "12/01/2016", "kind": "A", "amount": "-1.071,31", "tags": "['10']"},
    ]


def test_a_single_column_of_free_text_is_not_cut_at_its_punctuation(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text('notes\n"likes apples, bananas"\nx; y; z\n')

    assert rows_of(path) == [{"notes": "likes apples, bananas"}, {"notes": "x; y; z"}]


def test_an_object_that_has_a_key_twice_is_refused_rather_than_one_of_its_values_taken(lake: Lake) -> None:
    sound = {
        "customer_id": "c1",
        "order_ts": "2026-01-05T10:00:00Z",
        "quantity": 1,
        "product_id": "P00001",
        "channel": "web",
    }
    tail = json.dumps(sound | {"region": "north"})[1:]
    drop(
        lake,
        "orders_2026-01-05.jsonl",
        f'{{"order_id":"o1","amount":1.00,"amount":99.00,{tail}\n{{"order_id":"o2","amount":2.00,{tail}\n',
    )

    take(lake)
    build(lake, [JAN_5])

    assert order_ids(lake, JAN_5) == ["o2"]
    assert ["amount" in reason and "twice" in reason for reason in quarantined(lake)["reasons"]] == [True]
