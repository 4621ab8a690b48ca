"""How many rows of a day may be refused."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How many rows of a day may be refused: a share of those received, and a floor in rows."""

    share: float
    rows: int = 0

    def allows(self, refused: int, received: int) -> bool:
        """Whether `refused` of `received` rows is still within the tolerance."""
        return refused <= max(self.rows, self.share * received)
