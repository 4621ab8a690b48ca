"""What every test shares."""

import pytest


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files a test has just written are whole; do not wait to see."""
    monkeypatch.setenv("MLPIPE_SETTLE_SECONDS", "0")
