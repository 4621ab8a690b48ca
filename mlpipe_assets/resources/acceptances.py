"""What the person on duty accepted: days of a source that may be written although they break its tolerance."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime

from mlpipe_assets.resources.lake import Lake


def accept(lake: Lake, source: str, days: Iterable[date], reason: str) -> None:
    """Record that days of a source are taken as they are, and why. The newest record of a day counts."""
    path = lake.root / "meta" / "acceptances.jsonl"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    at = datetime.now(tz=UTC).isoformat(timespec="seconds")
    new = (json.dumps({"source": source, "date": f"{day}", "reason": reason, "accepted_at": at}) for day in days)
    lake.commit(lake.stage_bytes(path, (old + "".join(f"{line}\n" for line in new)).encode()))


def accepted_days(lake: Lake, source: str) -> dict[date, str]:
    """Accepted days of a source, with the reason given."""
    path = lake.root / "meta" / "acceptances.jsonl"
    if not path.exists():
        return {}
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {date.fromisoformat(r["date"]): r["reason"] for r in records if r["source"] == source}
