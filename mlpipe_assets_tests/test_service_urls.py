"""What of an address, or of an error, may be shown."""

import pytest

from mlpipe_assets.service_urls import explain, take_option, without_secrets


@pytest.mark.parametrize(
    ("address", "said", "shown"),
    [
        ("postgresql://u:p@db/shop", "Connection refused for u: p?", "Connection refused for ***: ***?"),
        ("postgresql://ann:s%2Fx@db/shop", "s/x and s%2Fx are wrong", "*** and *** are wrong"),
        ("redis://db:6379/0?password=abc", "no abc", "no ***"),
        ("postgresql://ann:annex@db/shop", "annex of ann", "*** of ***"),
    ],
)
def test_no_secret_is_shown_and_no_other_word_is_spoilt(address: str, said: str, shown: str) -> None:
    told = explain(OSError(said), address)

    assert told == f"{without_secrets(address)} does not do what was asked ({shown})"
    assert "@" not in without_secrets(address)


def test_an_option_of_ours_is_taken_out_of_an_address() -> None:
    assert take_option("postgresql://db/shop?reader=bi&sslmode=require", "reader", "") == (
        "bi",
        "postgresql://db/shop?sslmode=require",
    )
    assert take_option("postgresql://db/shop", "reader", "nobody") == ("nobody", "postgresql://db/shop")
