"""What features describe."""

from dataclasses import dataclass

from mlpipe_assets.catalog.older_spelling import with_one_join_key
from mlpipe_assets.catalog.places import Declared


@with_one_join_key
@dataclass(frozen=True, kw_only=True)
class Entity(Declared):
    """A thing features describe, and the columns that identify it together."""

    name: str
    join_keys: tuple[str, ...]
