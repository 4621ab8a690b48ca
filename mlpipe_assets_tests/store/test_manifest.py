"""The manifest of a table: a change is all of it or nothing, and no flipped bit passes for a fact."""

import hashlib
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpipe_assets.store.manifest import Change, Manifest, Part, content_key, parse, spell
from mlpipe_assets_tests.frames import JAN_5, JAN_6

ONE, OTHER = Part("1" * 64, 10, 100, {"rows": 1}), Part("2" * 64, 20, 200, {"rows": 2})
_days = st.integers(0, 3).map(lambda n: JAN_5 + timedelta(days=n))


def test_a_manifest_comes_back_as_it_was_written() -> None:
    manifest = Manifest(
        gen=7,
        days={JAN_5: {"train.parquet": ONE, "test.parquet": OTHER}},
        refused={JAN_6: {"problem": "größer", "inputs": "abc"}},
        old={"date=2026-01-05/x.parquet": 12.5},
    )

    assert parse(spell(manifest)) == manifest
    assert spell(manifest) != spell(manifest), "the same content twice is two writes"


def test_a_flipped_bit_anywhere_is_damage() -> None:
    content = spell(Manifest(gen=1, days={JAN_5: {"part.parquet": ONE}}))

    for place in range(len(content) - 1):  # the last one is the end of the line
        broken = bytearray(content)
        broken[place] ^= 1
        with pytest.raises((ValueError, LookupError, TypeError)):
            parse(bytes(broken))
    for length in range(len(content) - 1):
        with pytest.raises((ValueError, LookupError, TypeError)):
            parse(content[:length])


def test_a_newer_format_is_told_from_damage() -> None:
    text = spell(Manifest()).rpartition(b',"seal"')[0].replace(b'"format":1', b'"format":2')

    newer = text + b',"seal":"' + hashlib.sha256(text).hexdigest().encode() + b'"}\n'

    with pytest.raises(ValueError, match="newer version"):
        parse(newer)


def test_a_content_that_was_replaced_is_kept_for_an_hour_and_one_that_came_back_for_ever() -> None:
    first, _ = Manifest().after(Change(files={JAN_5: {"part.parquet": ONE}}), gen=1, now=0.0)
    second, expired = first.after(Change(files={JAN_5: {"part.parquet": OTHER}}), gen=2, now=10.0)
    assert second.old == {content_key(JAN_5, "part.parquet", ONE.sha256): 10.0}
    assert expired == set()

    later, expired = second.after(Change(refused={JAN_6: {"problem": "p", "inputs": "i"}}), gen=3, now=3700.0)
    assert (dict(later.old), expired) == ({}, {content_key(JAN_5, "part.parquet", ONE.sha256)})

    again, expired = second.after(Change(files={JAN_5: {"part.parquet": ONE}}), gen=3, now=3700.0)
    assert set(again.old) == {content_key(JAN_5, "part.parquet", OTHER.sha256)}
    assert expired == set()


@given(
    st.lists(
        st.tuples(
            st.dictionaries(_days, st.sampled_from([ONE, OTHER]), max_size=3),
            st.sets(_days, max_size=2),
            st.dictionaries(_days, st.sampled_from([None, {"problem": "p", "inputs": "i"}]), max_size=2),
        ),
        max_size=8,
    )
)
def test_changes_in_a_row_come_to_what_a_dictionary_would_hold(
    changes: list[tuple[dict[date, Part], set[date], dict[date, dict[str, str] | None]]],
) -> None:
    manifest = Manifest()
    days: dict[date, Part] = {}
    refused: dict[date, dict[str, str]] = {}
    for number, (files, gone, refusals) in enumerate(changes):
        change = Change(
            files={d: {"part.parquet": p} for d, p in files.items()}, gone=gone - set(files), refused=dict(refusals)
        )
        manifest, _ = manifest.after(change, gen=number, now=float(number))
        manifest = parse(spell(manifest))
        for day in gone - set(files):
            days.pop(day, None)
        days |= files
        for day, record in refusals.items():
            refused.pop(day, None)
            if record is not None:
                refused[day] = record

    assert {day: parts["part.parquet"] for day, parts in manifest.days.items()} == days
    assert manifest.refused == refused
    assert list(manifest.days) == sorted(days)
    named = {content_key(day, "part.parquet", part.sha256) for day, part in days.items()}
    assert not named & set(manifest.old), "what is named is never garbage"
