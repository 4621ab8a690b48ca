"""What the next online snapshot is made of: of each view the latest row of every entity, from days that passed their checks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property

from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.versions import view_version
from mlpipe_assets.partitions import ONE_DAY
from mlpipe_assets.point_in_time.windows import Inputs
from mlpipe_assets.rules import columns, digest
from mlpipe_assets.serving.parity_gate import find_barred
from mlpipe_assets.serving.snapshots.newest import newest_rows, read_kept
from mlpipe_assets.serving.snapshots.rows import KeyTypeError, key_type
from mlpipe_assets.serving.snapshots.snapshot import OnlineError, PublishedView, Snapshot, ViewRows
from mlpipe_assets.store.lake import Lake


@dataclass(kw_only=True)
class ViewDays:
    """The days of a view that a snapshot takes rows from, as they stand on disk.

    A day is over by `now` and of the view's present version. Of an older day that was refused since, the partition from before
    counts, as it does in a join of the same time.
    """

    lake: Lake
    catalog: Catalog
    view: FeatureView
    now: datetime

    @cached_property
    def inputs(self) -> Inputs:
        """The view with what it is made of."""
        return Inputs(lake=self.lake, catalog=self.catalog, view=self.view)

    @cached_property
    def newest(self) -> date | None:
        """The newest day that is over and that there was an attempt at."""
        made = self.inputs.made
        return max(filter(self._is_over, {*made.days(), *made.refused}), default=None)

    @cached_property
    def days(self) -> list[date]:
        """The days to read, in order."""
        made, version = self.inputs.made, self.version
        return [day for day in self.present if (made.facts(day) or {}).get("code_version") == version]

    @cached_property
    def present(self) -> list[date]:
        """Days that are over and have a partition, sound or not."""
        return list(filter(self._is_over, self.inputs.made.days()))

    @cached_property
    def version(self) -> str:
        """The feature version of its rows."""
        return view_version(self.catalog, self.view)

    def find_obstacle(self) -> str | None:
        """Why its newest day must not be published; None when it may, or when there is none yet."""
        day, made = self.newest, self.inputs.made
        if day is None:
            return None
        try:
            self.key_types()
        except KeyTypeError as error:
            return f"features/{self.view.name}: {error}"
        problem: str | None = None
        if day in made.refused:
            problem = f"failed its blocking check: {made.refused[day]['problem']}"
        elif damaged := [one for one in self.present if made.facts(one) is None]:
            day, problem = damaged[-1], "is damaged; `mlpipe run` builds it again"  # an older row would look right
        elif (facts := made.facts(day)) is None:
            problem = "has no partition; `mlpipe run` builds it"
        elif facts.get("code_version") != self.version:
            problem = "was built by another version of the view; `mlpipe run` builds it again"
        else:
            problem = self.inputs.find_obstacle(day)
        if problem is None and (refusal := find_barred(self.lake, self.catalog).get(self.view.name)):
            return f"features/{self.view.name}: {refusal}"
        return f"features/{self.view.name} [{day}]: {problem}" if problem else None

    def key_types(self) -> tuple[str, ...]:
        """What each join key is given as in a request. Raises: KeyTypeError."""
        types = {column.name: column.dtype for column in columns(self.view.contract)}
        return tuple(key_type(types[name]) for name in self.view.entity.join_keys)

    @cached_property
    def digests(self) -> dict[date, str]:
        """The digest of each day to read, in order."""
        return {day: self.inputs.made.digest(day) for day in self.days}

    def digest(self) -> str:
        """Digest of all its rows are made of, and of how old they may be."""
        return digest(
            [self.view.name, self.version, f"{self.view.ttl}", [[f"{d}", h] for d, h in self.digests.items()]]
        )

    def rows(self) -> ViewRows:
        """The latest row of every entity; of days that are as the snapshot before had them, as it had kept it.

        Raises: DamagedError when a partition does not hold what was written to it.
        """
        keys = list(self.view.entity.join_keys)
        kept = read_kept(self.lake.objects, self.view.name, self.version)
        frame = newest_rows(kept, self.digests, self.inputs.made.files, keys)
        as_of = frame["as_of"].max()
        if not isinstance(as_of, datetime):
            as_of = datetime.combine(self.days[-1] + ONE_DAY, time(), tzinfo=UTC)  # a day without a row
        ttl = self.view.ttl
        return ViewRows(
            frame=frame,
            view=PublishedView(
                name=self.view.name,
                join_keys=tuple(keys),
                key_types=self.key_types(),
                features=tuple(name for name in frame.columns if name not in (*keys, "as_of")),
                as_of=as_of.isoformat(),
                version=self.version,
                rows=frame.height,
                ttl_seconds=ttl.total_seconds() if ttl else None,
            ),
        )

    def _is_over(self, day: date) -> bool:
        return datetime.combine(day + ONE_DAY, time(), tzinfo=UTC) <= self.now


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the next snapshot would be made of.

    Attributes:
        views: Those that have rows.
        obstacles: Why the newest day of a view must not be published, by the day: then nothing is.
    """

    views: tuple[ViewDays, ...]
    obstacles: tuple[tuple[date, str], ...]

    @property
    def inputs(self) -> str:
        """Digest of all it is made of."""
        return digest([view.digest() for view in self.views])

    def read(self) -> Snapshot:
        """The snapshot.

        Raises: OnlineError when there is nothing to publish, or a view must not be; DamagedError.
        """
        if self.obstacles:
            raise OnlineError("; ".join(reason for _, reason in self.obstacles))
        if not self.views:
            raise OnlineError(
                "No feature view has a day that is over, so there is nothing to publish. Next: mlpipe run"
            )
        return Snapshot(inputs=self.inputs, views=tuple(view.rows() for view in self.views))


def plan_snapshot(lake: Lake, catalog: Catalog, now: datetime, views: Iterable[FeatureView] | None = None) -> Plan:
    """What the next snapshot would be made of, as things stand on disk now."""
    wanted = catalog.online_views if views is None else views
    found = [ViewDays(lake=lake, catalog=catalog, view=view, now=now) for view in wanted]
    obstacles = [(one.newest, problem) for one in found if one.newest and (problem := one.find_obstacle())]
    return Plan(views=tuple(one for one in found if one.days), obstacles=tuple(obstacles))
