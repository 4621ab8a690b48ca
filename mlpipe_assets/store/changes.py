"""What becomes visible of a table together: files of days, days taken away, refusals made and taken back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from mlpipe_assets.store import keys
from mlpipe_assets.store.manifest import Change, Manifest, Part
from mlpipe_assets.store.staging import Staged
from mlpipe_assets.store.table import Table


@dataclass(kw_only=True)
class TableChange:
    """What becomes visible of a table at once, gathered day by day."""

    table: Table
    _change: Change = field(default_factory=Change)
    _staged: dict[Path, Path] = field(default_factory=dict)

    def put(self, *staged: Staged) -> None:
        """Take all the files of some days, in place of those they had; what was refused of a day stays refused until `clear`."""
        for item in staged:
            day, file = keys.read_day(item.target.parent.name), item.target.name
            if day is None:  # narrowed by the caller; states it for the type checker
                raise ValueError(item.target)
            self._change.gone.discard(day)
            self._change.files.setdefault(day, {})[file] = item.part
            self._staged[item.temporary] = self.table.contents.content(day, file, item.part)

    def restore(self, day: date, files: Mapping[str, Part]) -> None:
        """Take files whose contents are there already, in place of those that a day has."""
        self._change.gone.discard(day)
        self._change.files[day] = dict(files)

    def restore_refusal(self, day: date, record: Mapping[str, object] | None) -> None:
        """Take what was on record of a refused day before; None for a day that was not refused."""
        self._change.refused[day] = record

    def drop(self, day: date, file: str, files: Mapping[str, Part]) -> None:
        """Take one of the `files` that a day has away, unless all of them are replaced."""
        if day not in self._change.files and day not in self._change.gone:
            self._change.files[day] = {name: part for name, part in files.items() if name != file}

    def remove(self, day: date) -> None:
        """Take a day away, with all of its files."""
        self._change.files.pop(day, None)
        self._change.gone.add(day)

    def refuse(self, day: date, *, problem: str, inputs: str, **more: object) -> None:
        """Put on record that a day was refused, why, and over which inputs; the partition that was there stays."""
        self._change.refused[day] = {"problem": problem, "inputs": inputs, **more}

    def clear(self, day: date) -> None:
        """Take a refusal back: the day was written, or there is nothing to refuse any more."""
        self._change.refused[day] = None

    def foresee(self) -> Manifest:
        """What the table would hold once it is published.

        Raises: BusyError, LakeError.
        """
        return self.table.foresee(self._change)

    def publish(self) -> None:
        """Make all of it visible.

        Raises: BusyError when another run has taken the table over; StoreError when the disk says no. Nothing is visible then.
        """
        self.table.publish(self._change, self._staged)
