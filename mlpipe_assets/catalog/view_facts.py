"""What a person asks about a feature view: how each feature is made, what late rows do, how old a row may be, who uses it."""

from dataclasses import dataclass
from datetime import timedelta

from mlpipe_assets.catalog.asked import features_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.joined_views import features_joined, views_joined
from mlpipe_assets.catalog.lineage import column_lineage
from mlpipe_assets.errors import spell_count

_TAKEN = {"newest": "", "joined": "", "days since": "days since "}  # functions that say where a value is taken from
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Making:
    """How one feature is made.

    Attributes:
        function: Of an aggregate its function; `newest` for a column of the newest snapshot, `days since` for the days from a date
            in one, `joined` for a feature of another view, `SQL` where a file says it.
        of: What it is made of: columns, the source whose rows are counted, or a feature of another view.
        days: How many days it looks at, or may look at; None where it looks at no window.
        where: The condition on rows that take part.
    """

    function: str
    of: tuple[str, ...]
    days: int | None = None
    where: str | None = None

    def __str__(self) -> str:
        """Such as `sum of amount, where channel = 'web'`, or `age of customers`."""
        made = f"{self.function} of {', '.join(self.of)}" if self.of else self.function
        if self.of and self.function in _TAKEN:
            place, _, name = self.of[0].replace(":", ".").partition(".")
            made = f"{_TAKEN[self.function]}{name} of {place}"
        elif self.function != "SQL":
            made = f"{self.function} of {self.of[0].rpartition('.')[2]}"
        return f"{made}, where {' '.join(self.where.split())}" if self.where else made


def makings_of(catalog: Catalog, view: FeatureView) -> dict[str, Making]:
    """How each feature of a view is made, in the order of its contract."""
    made = _declared(view) if view.is_declared else _written(catalog, view)
    return {column.name: made.get(column.name, Making(function="SQL", of=())) for column in features_of(view)}


def models_using(catalog: Catalog, view: FeatureView) -> tuple[str, ...]:
    """Models that learn from a view, also through a view that joins it."""
    return tuple(
        model.name
        for model in catalog.models
        if view.name in {model.view.name, *(other.name for other in views_joined(catalog, model.view))}
    )


def views_joining(catalog: Catalog, view: FeatureView) -> tuple[str, ...]:
    """Views whose rows take features of a view."""
    return tuple(
        other.name
        for other in catalog.feature_views
        if view.name in {joined.name for joined in views_joined(catalog, other)}
    )


def spell_use(catalog: Catalog, view: FeatureView) -> str:
    """Which models and views use a view."""
    joining = views_joining(catalog, view)
    used = [", ".join(models_using(catalog, view)) or "no model"]
    return "; joined by ".join([*used, ", ".join(joining)] if joining else used)


def reading_of(catalog: Catalog, view: FeatureView) -> str:
    """What rows of past days know: as it was known then, or with what was corrected since; of a view that joins others, of each."""
    if view.is_as_known:
        return "as known then"
    kept = [other.name for other in views_joined(catalog, view) if other.is_as_known]
    return f"as corrected since, features of {', '.join(kept)} as known then" if kept else "as corrected since"


def spell_late(catalog: Catalog, view: FeatureView) -> str:
    """What a late or corrected row does to the days before."""
    reading = reading_of(catalog, view)
    if view.is_as_known:
        return f"{reading}: what came up to {spell_time(view.settle)} after the end of a day counts in it"
    return f"{reading}: a correction builds the days it touches again"


def spell_ttl(view: FeatureView) -> str:
    """How long a row counts."""
    return f"for {spell_time(view.ttl)}" if view.ttl else "until the next"


def spell_time(time: timedelta) -> str:
    """A length of time, in whole days or hours where it is one."""
    if time and time % _DAY == timedelta(0):
        return spell_count(time // _DAY, "day")
    return spell_count(time // _HOUR, "hour") if time % _HOUR == timedelta(0) else f"{time}"


def _declared(view: FeatureView) -> dict[str, Making]:
    made: dict[str, Making] = {}
    for one in view.aggregates:
        of = f"{view.source}.{one.column}" if one.column else view.source
        for name, days in one.features.items():
            made[name] = Making(function=one.function, of=(of,), days=days or view.lookback.days, where=one.where)
    for taken in view.attributes:
        since = dict(taken.days_since)
        for name, column in taken.features.items():
            function = "days since" if name in since else "newest"
            made[name] = Making(function=function, of=(f"{taken.source}.{column}",))
    return made


def _written(catalog: Catalog, view: FeatureView) -> dict[str, Making]:
    """Of SQL the columns that a feature comes from; it may look at all days of the lookback."""
    found = column_lineage(catalog.view_sql(view), view.inputs)
    made = {
        column.name: Making(
            function="SQL", of=tuple(".".join(origin) for origin in found.get(column.name, ())), days=view.lookback.days
        )
        for column in features_of(view)
    }
    for one in features_joined(catalog, view):
        made[one.name] = Making(function="joined", of=(f"{one.view.name}:{one.column.name}",))
    return made
