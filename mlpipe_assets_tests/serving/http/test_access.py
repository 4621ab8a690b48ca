"""Keys: shown once, kept as a hash that only the owner reads, and refused when anything about them is wrong."""

import json
import stat

import pytest

from mlpipe_assets.errors import LakeError, SettingsError
from mlpipe_assets.serving.http.access import ANYBODY, DeniedError, KeyBook
from mlpipe_assets.store.lake import Lake


def test_a_key_is_kept_as_a_salted_hash_that_only_the_owner_reads(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPIPE_FILE_MODE", "0640")
    book = KeyBook(lake=lake)

    first, second = book.add("checkout", ["spend"], ["*"]), book.add("billing", ["*"], [])

    file = lake.root / "meta" / "serve_keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert [token[13:] in text for token in (first, second)] == [False, False]
    kept = json.loads(text)["keys"]
    assert len({one["salt"] for one in kept}) == 2
    found = book.read().find(f"Bearer {first}")
    assert (found.name, found.views, found.models) == ("checkout", ("spend",), ("*",))


def test_without_keys_anybody_on_this_machine_may_ask(lake: Lake) -> None:
    assert KeyBook(lake=lake).read().find(None) is ANYBODY


def test_a_damaged_file_of_keys_lets_nobody_in(lake: Lake) -> None:
    book = KeyBook(lake=lake)
    book.add("checkout", ["*"], ["*"])
    (lake.root / "meta" / "serve_keys.json").write_text("{}")

    with pytest.raises(LakeError, match="serve-key add"):
        book.read()


def test_names_are_unique_and_plain(lake: Lake) -> None:
    book = KeyBook(lake=lake)
    book.add("checkout", ["*"], ["*"])

    for name, words in (
        ("checkout", "There is a key 'checkout' already"),
        ("a b", "cannot name a key"),
        ("", "cannot name"),
    ):
        with pytest.raises(SettingsError, match=words):
            book.add(name, ["*"], ["*"])
    with pytest.raises(SettingsError, match="There is no key 'other'; there are checkout"):
        book.remove("other")


def test_an_unknown_key_and_a_wrong_secret_are_refused_in_the_same_words(lake: Lake) -> None:
    book = KeyBook(lake=lake)
    token = book.add("checkout", ["spend"], [])
    words = set()
    for given in (f"{token[:-1]}?", f"mlp_00000000_{token[13:]}", token.replace("_", "-"), "x" * 5000, "é"):
        with pytest.raises(DeniedError) as caught:
            book.read().find(f"Bearer {given}")
        words.add((caught.value.status, f"{caught.value}"))

    assert len(words) == 1
    with pytest.raises(DeniedError, match="may not ask the model returning"):
        book.read().find(f"Bearer {token}").expect_model("returning")
