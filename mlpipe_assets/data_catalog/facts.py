"""Each thing that the data catalog says of a table, found where it is declared."""

from collections.abc import Mapping, Sequence

from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model, Source, is_snapshot
from mlpipe_assets.catalog.joined_views import features_joined
from mlpipe_assets.catalog.lineage import column_lineage
from mlpipe_assets.catalog.validation.binding import spell_type
from mlpipe_assets.catalog.versions import learner_version, model_version, source_version, view_version
from mlpipe_assets.catalog.view_facts import reading_of
from mlpipe_assets.contracts.drift_measurements import DriftMeasurements
from mlpipe_assets.contracts.events import Events
from mlpipe_assets.data_catalog.entry import ColumnEntry
from mlpipe_assets.rules import Contract, columns, first_sentence, unique_keys
from mlpipe_assets.stages.flow_table import Table
from mlpipe_assets.store import keys

_TEXTS = {
    "online": "The latest row of every entity of every feature view, as online answers are read.",
    "report": "What changed in the data, as a page that opens in any browser.",
    "warehouse": "Every table of the lake in PostgreSQL.",
    "raw": "As received, each row with its file and line.",
    "monitoring": "How columns changed: against the baseline, the week before and the training set.",
}
_GRAIN_OF_STAGE = {
    "raw": "a row received",
    "monitoring": "a measure of a column on a day",
    "models": "a file of a version of the model",
}
Declaration = Source | FeatureView | Model


def declaration_of(catalog: Catalog, table: Table) -> Declaration | None:
    """What a table is declared by; None for one that follows from others."""
    if table.stage in ("raw", "interim"):
        return catalog.source(table.name)
    if table.stage == "features":
        return catalog.view(table.name)
    names = {name: model for model in catalog.models for name in (model.name, model.golden, model.served)}
    return names.get(table.name) if table.stage in ("processed", "models", "validation", "predictions") else None


def contract_of(table: Table) -> Contract | None:
    """What the rows of a table promise; None where nothing is."""
    if table.contract is not None:
        return table.contract
    if table.stage == "raw":
        return Events
    return DriftMeasurements if table.stage == "monitoring" and table.folder else None


def path_of(table: Table) -> str:
    """Its files, below the data folder; empty where it has none."""
    if table.stage == "raw":
        return f"{keys.EVENTS}/{table.name}/{keys.ANY_DAY}/*.parquet"
    if table.files:
        return ", ".join(keys.partitions(*table.place, file) for file in table.files)
    return {"online": keys.ONLINE, "monitoring": keys.REPORT_PAGE}.get(table.stage, "")


def description_of(table: Table, declared: Declaration | None, contract: Contract | None) -> str:
    """What it is."""
    if table.stage == "raw" and declared:
        return f"{first_sentence(declared.contract)} {_TEXTS['raw']}"
    if table.stage == "monitoring":
        return _TEXTS["monitoring" if table.folder else "report"]
    return first_sentence(contract) if contract else _TEXTS.get(table.stage, "")


def columns_of(contract: Contract, origins: Mapping[str, Sequence[str]]) -> tuple[ColumnEntry, ...]:
    """Its columns, as the contract promises them."""
    return tuple(
        ColumnEntry(
            name=column.name,
            type=spell_type(column.dtype) or f"{column.dtype}",
            nullable=column.nullable,
            description=column.description or "",
            unit=f"{column.metadata.get('unit', '')}",
            checks=(*column.constraints, *(["unique"] if column.unique else [])),
            personal=bool(column.metadata.get("personal")),
            made_of=tuple(origins.get(column.name, ())),
        )
        for column in columns(contract)
    )


def origins_of(catalog: Catalog, table: Table, declared: Declaration | None) -> dict[str, list[str]]:
    """The columns that each column comes from, read off the SQL."""
    if table.stage == "features" and isinstance(declared, FeatureView):
        sql, inputs = catalog.view_sql(declared), declared.inputs
        found = {name: [f"interim/{t}.{c}" for t, c in of] for name, of in column_lineage(sql, inputs).items()}
        joined = {
            one.name: [f"features/{one.view.name}.{one.column.name}"] for one in features_joined(catalog, declared)
        }
        return found | joined
    if table.stage == "processed" and isinstance(declared, Model):
        view = declared.view
        found = {column.name: [f"features/{view.name}.{column.name}"] for column in columns(view.contract)}
        return found | _origin_of_label(catalog, declared)
    return {}


def _origin_of_label(catalog: Catalog, model: Model) -> dict[str, list[str]]:
    read = column_lineage(catalog.read_sql(model.sql), ("features", *model.inputs)).get(model.label, ())
    origins = [f"features/{model.view.name}.{c}" if t == "features" else f"interim/{t}.{c}" for t, c in read]
    return {model.label: origins} if origins else {}


def tags_of(
    catalog: Catalog, table: Table, declared: Declaration | None, shown: Sequence[ColumnEntry]
) -> tuple[str, ...]:
    """The words a table is declared with, and those that follow from what it is."""
    own: list[str] = [*getattr(declared, "tags", ()), table.stage]
    if isinstance(declared, Source):
        own.append("snapshot" if is_snapshot(declared) else "events")
    if isinstance(declared, FeatureView):
        own += ["aggregates" if declared.is_declared else "sql", reading_of(catalog, declared), declared.entity.name]
    if isinstance(declared, Model):
        own += [declared.task, declared.view.entity.name]
    if any(column.personal for column in shown):
        own.append("personal data")
    return tuple(dict.fromkeys(own))


def owners_of(catalog: Catalog, table: Table, declared: Declaration | None) -> tuple[str, ...]:
    """Who answers for it."""
    if declared is not None:
        return declared.owners
    watched = [monitor for monitor in catalog.monitors if table.stage == "monitoring" and table.folder]
    found = {owner for one in watched if one.folder == table.place[1] for owner in one.owners}
    everybody = {owner for view in catalog.online_views for owner in view.owners} if table.stage == "online" else set()
    return tuple(sorted(found | everybody))


def grain_of(table: Table, declared: Declaration | None) -> str:
    """What a row is."""
    if table.stage in _GRAIN_OF_STAGE:
        return _GRAIN_OF_STAGE[table.stage]
    if isinstance(declared, Source):
        return f"one {', '.join(declared.key)}"
    view = declared if isinstance(declared, FeatureView) else declared.view if declared else None
    if view is None:
        return ""
    keys_of_view = ", ".join(view.entity.join_keys)
    return f"one {keys_of_view} at a moment" if view.moments else f"one {keys_of_view} at the end of a day"


def key_of(table: Table, declared: Declaration | None, contract: Contract | None) -> tuple[str, ...]:
    """The columns that tell its rows apart."""
    if table.stage == "interim" and isinstance(declared, Source):
        return declared.key
    if table.stage == "features" and isinstance(declared, FeatureView):
        return (*declared.entity.join_keys, "as_of")
    found = unique_keys(contract) if contract else []
    return found[0] if found else ()


def version_of(catalog: Catalog, table: Table, declared: Declaration | None) -> str:
    """Digest of what decides its rows; empty where there is none."""
    if isinstance(declared, Source):
        return source_version(declared)
    if isinstance(declared, FeatureView):
        return view_version(catalog, declared)
    if isinstance(declared, Model):
        return model_version(catalog, declared) if table.stage == "processed" else learner_version(declared)
    return ""
