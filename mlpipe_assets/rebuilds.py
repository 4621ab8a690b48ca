"""Which damaged partitions no run can build again, because something they are built from is lost itself."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.flow import tables_of
from mlpipe_assets.stages.flow_table import Place, Table
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.training.model_files import MODEL_FILE


@dataclass(kw_only=True)
class Rebuilds:
    """The damaged partitions of a lake, and which of them are lost."""

    lake: Lake
    catalog: Catalog
    _lost: dict[Place, str] = field(default_factory=dict)

    def find_hindered(self, damaged: Mapping[str, bool]) -> dict[str, str]:
        """Of damaged files that a run builds again, those it cannot, each with the lost file that is in the way.

        Args:
            damaged: Damaged files by path below the data folder, and whether a run makes them again, other damage aside.
        """
        tables = tables_of(self.catalog)
        places = {table.key: table.place for table in tables}
        at = {place: (number, table) for number, table in enumerate(tables) for place in (table.place, *table.beside)}
        broken = {name: place for name in sorted(damaged) if (place := place_of(name))}
        self._lost |= {place: name for name, place in broken.items() if not damaged[name]}
        hindered: dict[str, str] = {}
        known = [(*at[place[:2]], place, name) for name, place in broken.items() if damaged[name] and place[:2] in at]
        for _, table, place, name in sorted(known, key=lambda one: one[0]):  # each after what it is made of
            made_of = self._made_of(table, places, place, broken.values())
            if cause := next((self._lost[other] for other in made_of if other in self._lost), None):
                hindered[name] = self._lost[place] = cause
        return hindered

    def _made_of(
        self, table: Table, places: Mapping[str, tuple[str, str]], place: Place, broken: Collection[Place]
    ) -> Iterable[Place]:
        """The partitions a rebuild reads."""
        day = place[2]
        if day is None:
            return ()
        if table.made_of:
            return table.made_of(self.lake, day, broken)
        return [(*places[name], day) for name in table.upstream if name in places]


def place_of(name: str) -> Place | None:
    """The partition that a file is in, or the version of a model; None for files of neither."""
    above, _, file = name.rpartition("/")
    table, _, folder = above.rpartition("/")
    stage, _, known = table.rpartition("/")
    if keys.is_day(folder) and (day := keys.read_day(folder)):
        return stage, known, day
    return (stage, f"{known}/{folder}", None) if stage == keys.MODELS and file == MODEL_FILE else None
