"""What the commands for versions print, and their exit codes."""

import json
from dataclasses import replace

import pytest

from mlpipe_assets.cli import main
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.tags import Tag, pin, save_tag
from mlpipe_assets_tests.frames import JAN_5, JAN_6
from mlpipe_assets_tests.tagging.lakes import Said, hours_later, publish


def test_a_tag_is_made_listed_and_taken_away(two_days: Lake, said: Said) -> None:
    made = said("tag", "v1", "--tables", "stg.orders", "--message", "first")

    assert made.startswith("v1 pins 2 partitions of 1 table (0.0 MB, none of it copied")
    listed = json.loads(said("tags", "--json"))["tags"]
    assert [(one["name"], one["message"], one["tables"]) for one in listed] == [
        ("v1", "first", {"interim/orders": {"partitions": 2, "first": f"{JAN_5}", "last": f"{JAN_6}"}})
    ]
    assert "│ v1" in said("tags")
    assert said("tag", "v1", "--delete") == "v1 is no tag any more. What only it named stays until: mlpipe gc\n"
    assert said("tags") == "There is no tag yet. To make one: mlpipe tag NAME\n"
    assert two_days.days("interim", "orders") == [JAN_5, JAN_6]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tag", "now"], "'now' cannot be the name of a tag"),
        (["tag", "v1", "--tables", "orders"], "There is no table 'orders' with partitions of days"),
        (["tag", "v1", "--delete"], "There is no tag 'v1'; there is none yet"),
        (["tag", "v1", "--delete", "--tables", "stg.orders"], "--delete takes a tag away whole"),
    ],
)
@pytest.mark.usefixtures("two_days")
def test_a_wrong_call_is_exit_2_and_says_what_would_be_right(said: Said, arguments: list[str], complaint: str) -> None:
    assert complaint in said(*arguments, code=2)


def test_a_tag_that_cannot_be_read_is_named_and_the_others_are_listed(two_days: Lake, said: Said) -> None:
    said("tag", "v1")
    said("tag", "v2")
    path = two_days.root / keys.tag("v1")
    path.write_text(path.read_text(encoding="utf-8").replace("sha", "5ha").replace(" 1", " 2"), encoding="utf-8")

    assert main(["tags", "--json"]) == 1


def test_gc_says_what_would_go_what_went_and_what_stays_for_readers(two_days: Lake, said: Said) -> None:
    said("tag", "v1")
    publish(two_days, {JAN_5: 10, JAN_6: 20})
    publish(two_days, {JAN_5: 100})
    lately = "Kept for those who still read: 1 content replaced within the last hour\n"

    assert said("gc") == "0 contents that neither a tag nor the newest state names went (0.0 MB)\n" + lately
    with hours_later(2):
        assert "1 content that neither a tag nor the newest state names would go" in said("gc", "--dry-run")
        assert json.loads(said("gc", "--json"))["tables"]["interim/orders"]["contents"] == 1
        assert said("gc") == "0 contents that neither a tag nor the newest state names went (0.0 MB)\n"


def test_a_checkout_says_which_days_changed_and_how_it_ends(two_days: Lake, said: Said) -> None:
    said("tag", "v1", "--tables", "stg.orders")
    publish(two_days, {JAN_6: 20})

    told = said("checkout", "v1")

    assert f"│ interim/orders │     1 │    0 │ {JAN_6} │" in told
    assert "The tables are as in v1: 1 partition of 1 table changed" in told
    assert "held: interim/orders is held at tag v1" in told
    assert "held: interim/orders is held at tag v1" in said("status")
    assert json.loads(said("status", "--json"))["held"][0].endswith("To go back: mlpipe checkout now")
    assert json.loads(said("checkout", "v1", "--json"))["tables"] == {}
    assert json.loads(said("checkout", "now", "--json"))["tables"] == {
        "interim/orders": {"reset": [f"{JAN_6}"], "gone": []}
    }
    assert "held" not in said("status")
    assert "No tag is checked out, so this is the newest state already" in said("checkout", "now", code=2)
    assert "leave --tables out" in said("checkout", "now", "--tables", "stg.orders", code=2)


def test_a_checkout_says_which_tables_were_made_by_other_code(two_days: Lake, said: Said) -> None:
    code = {"interim/orders": "other"}
    tag = Tag(name="v1", made_at="", about={"code_versions": code, "git": {"commit": "c" * 40}})
    save_tag(
        two_days.objects, replace(tag, tables={"interim/orders": pin(two_days.state("interim", "orders").manifest)})
    )

    assert (
        "note: interim/orders: made by other code than the project has now. The tag is of commit cccccccccccc\n"
        in said("checkout", "v1")
    )
