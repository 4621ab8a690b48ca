"""What the pages of the feature assets say of their views, without a run: how each feature is made, and who uses it."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from mlpipe_assets.catalog.asked import features_of
from mlpipe_assets.catalog.declarations import Catalog, FeatureView
from mlpipe_assets.catalog.view_facts import makings_of, models_using, spell_late, spell_time, spell_ttl, spell_use
from mlpipe_assets.serving.snapshots.snapshot import PublishedView


def page_of_view(catalog: Catalog, view: FeatureView) -> dict[str, dg.MetadataValue]:
    """A table of the features of a view, and what holds for all of them.

    The page gives a value about fifty characters, and cuts a table that takes more: types are among its columns.
    """
    made = makings_of(catalog, view)
    rows = [
        {
            "feature": column.name,
            "made by": f"{made[column.name]}",
            "window": f"{days}d" if (days := made[column.name].days) else "",
        }
        for column in features_of(view)
    ]
    return {
        "features": table(rows, ("feature", "made by", "window")),
        "entity": dg.MetadataValue.text(_entity(view)),
        "past_days": dg.MetadataValue.text(spell_late(catalog, view)),
        "a_row_holds": dg.MetadataValue.text(spell_ttl(view)),
        "fresh_within": dg.MetadataValue.text(spell_time(view.fresh_within)),
        "used_by": dg.MetadataValue.text(spell_use(catalog, view)),
    }


def page_of_online(catalog: Catalog) -> dict[str, dg.MetadataValue]:
    """A table of the views that are published, and by which keys they are asked."""
    rows = [
        {
            "view": view.name,
            "asked by": ", ".join(view.entity.join_keys),
            "models": ", ".join(models_using(catalog, view)),
        }
        for view in catalog.online_views
    ]
    return {
        "views": table(rows, ("view", "asked by", "models")),
        "answered_by": dg.MetadataValue.text("mlpipe serve, at /get-online-features"),
    }


def published_table(views: Iterable[PublishedView]) -> dg.MetadataValue:
    """What a snapshot has of each view."""
    rows = [{"view": view.name, "entities": f"{view.rows:,}", "as of": view.as_of[:10]} for view in views]
    return table(rows, ("view", "entities", "as of"))


def table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> dg.MetadataValue:
    """Rows of text as a table; columns without a value in any row are left out."""
    shown = [name for name in columns if any(row[name] for row in rows)]
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: row[name] for name in shown}) for row in rows],
        schema=dg.TableSchema([dg.TableColumn(name) for name in shown]),
    )


def _entity(view: FeatureView) -> str:
    return f"{view.entity.name} ({', '.join(view.entity.join_keys)})"
