"""Deliveries by what was delivered."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlpipe_assets.intake.delivery import Delivery


@dataclass(kw_only=True)
class DeliveryIndex:
    """Names of deliveries.

    Attributes:
        named: By the name that they came under, in the order in which they were counted.
        held: Of each content the one that holds its rows.
    """

    named: dict[str, list[str]] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, deliveries: Iterable[Delivery]) -> "DeliveryIndex":
        """The index of some deliveries."""
        found = cls()
        for delivery in deliveries:
            found.add(delivery)
        return found

    def add(self, delivery: Delivery) -> None:
        """Note a delivery, anew where it was noted before."""
        under = self.named.setdefault(delivery.source_file, [])
        if delivery.delivery not in under:
            under.append(delivery.delivery)
        if delivery.copy_of is None:
            self.held[delivery.content] = delivery.delivery
        elif self.held.get(delivery.content) == delivery.delivery:
            self.held[delivery.content] = delivery.copy_of
