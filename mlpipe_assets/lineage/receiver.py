"""Where lineage is sent to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """What takes OpenLineage events over HTTP.

    Attributes:
        url: `http://HOST:PORT`, before `/api/v1/lineage`; without user and password.
        api_key: Sent as a bearer token; empty for none.
    """

    url: str
    api_key: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What the number of the last execution sent to it is called in the database."""
        return f"openlineage_sent:{hashlib.sha256(self.url.encode()).hexdigest()[:16]}"

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with each event."""
        own = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return {"Content-Type": "application/json", **own}
