"""What is on record as OpenLineage events: one run event for each step of a run, of all partitions that it made."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.joined_views import features_joined
from mlpipe_assets.catalog.lineage import column_lineage
from mlpipe_assets.lineage.reading import Records
from mlpipe_assets.lineage.terms import DECISION, FILE, Artifact, Execution
from mlpipe_assets.rules import Column, columns
from mlpipe_assets.stages.flow_table import Table

NAMESPACE = "mlpipe"
_PRODUCER = "urn:mlpipe-assets:lineage"
_SPEC = "https://openlineage.io/spec"
_FACETS = {
    "schema": "1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet.json#/$defs/DataQualityAssertionsDatasetFacet",
    "dataQualityMetrics": "1-0-3/DataQualityMetricsInputDatasetFacet.json#/$defs/DataQualityMetricsInputDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet",
    "parent": "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
}


@dataclass(kw_only=True)
class Events:
    """OpenLineage events of what a lake has on record.

    Attributes:
        tables: The tables of the flow, by key.
    """

    catalog: Catalog
    tables: Mapping[str, Table]
    _schemas: dict[str, Any] = field(default_factory=dict)

    def of(self, records: Records) -> Iterator[dict[str, Any]]:
        """An event for each step of a run, in the order they were recorded."""
        return (event for _, event in self.numbered(records))

    def numbered(self, records: Records, after: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """The same, each with the id of the last execution that it tells of.

        Args:
            records: What is on record.
            after: Leave out what was recorded up to the execution of this id.
        """
        executions = [one for one in records.executions_after(after) if one.type != DECISION]
        given, made = records.given(executions), records.made(executions)
        steps: dict[tuple[str, str, str], list[Execution]] = {}
        for one in executions:
            steps.setdefault((one.run, one.name.partition("@")[0], one.at), []).append(one)
        for (run, table, at), own in steps.items():
            inputs = _unique(artifact for one in own for artifact in given[one.id])
            outputs = _unique(artifact for one in own for artifact in made[one.id])
            yield own[-1].id, self._event(run, table, at, own[0].id, inputs, outputs)

    def _event(
        self, run: str, table: str, at: str, first: int, inputs: Sequence[Artifact], outputs: Sequence[Artifact]
    ) -> dict[str, Any]:
        own = {artifact.id for artifact in outputs}
        step = uuid.uuid5(uuid.NAMESPACE_URL, f"{_PRODUCER}/{run}/{table}/{first}/{at}")
        return {
            "eventType": "COMPLETE",
            "eventTime": at,
            "producer": _PRODUCER,
            "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": f"{step}", "facets": self._parent(run)},
            "job": {
                "namespace": NAMESPACE,
                "name": table,
                "facets": {
                    "jobType": _facet("jobType", processingType="BATCH", integration="MLPIPE", jobType="STAGE"),
                },
            },
            "inputs": [
                self._dataset(name, found) | {"inputFacets": self._quality(name, found)}
                for name, found in _by_dataset(one for one in inputs if one.id not in own)
            ],
            "outputs": [
                self._dataset(name, found, lineage=True) | {"outputFacets": _statistics(found)}
                for name, found in _by_dataset(outputs)
            ],
        }

    def _parent(self, run: str) -> dict[str, Any]:
        try:
            parent = f"{uuid.UUID(run)}"  # Dagster's runs are called so
        except ValueError:
            return {}
        return {"parent": _facet("parent", run={"runId": parent}, job={"namespace": NAMESPACE, "name": "mlpipe run"})}

    def _dataset(self, name: str, found: Sequence[Artifact], *, lineage: bool = False) -> dict[str, Any]:
        digests = sorted(f"{one.key.partition} {one.key.digest}" for one in found)
        version = found[0].key.digest if len(found) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
        facets = {"version": _facet("version", datasetVersion=version)}
        if fields := self._fields(name):
            facets["schema"] = _facet("schema", fields=fields)
        if lineage and (origins := self._origins(name)):
            facets["columnLineage"] = _facet("columnLineage", fields=origins)
        return {"namespace": NAMESPACE, "name": name, "facets": facets}

    def _fields(self, name: str) -> list[dict[str, str]]:
        """The columns that a table promises, with types and descriptions."""
        if name not in self._schemas:
            table = self.tables.get(name)
            promised = columns(table.contract) if table and table.contract else []
            self._schemas[name] = [{"name": column.name, "type": f"{column.dtype}"} for column in promised]
        return list(self._schemas[name])

    def _quality(self, name: str, found: Sequence[Artifact]) -> dict[str, Any]:
        """Rows and bytes of what was read, and what its contract promises: no row is in it that breaks a promise."""
        table = self.tables.get(name)
        promised = columns(table.contract) if table and table.contract else []
        counts = {"rowCount": _sum(found, "accepted", "rows"), "bytes": _sum(found, "bytes")}
        metrics = _facet(
            "dataQualityMetrics",
            columnMetrics={column.name: {"nullCount": 0} for column in promised if not column.nullable},
            **{name: value for name, value in counts.items() if value is not None},
        )
        assertions = [one for column in promised for one in _promised(column)]
        more = {"dataQualityAssertions": _facet("dataQualityAssertions", assertions=assertions)} if assertions else {}
        return {"dataQualityMetrics": metrics, **more}

    def _origins(self, name: str) -> dict[str, Any]:
        """The columns that each column of features comes from, as its SQL says."""
        stage, _, own = name.partition("/")
        view = next((one for one in self.catalog.feature_views if stage == "features" and one.name == own), None)
        if view is None:
            return {}
        found = {
            column: [_origin(f"interim/{table}", source) for table, source in origins]
            for column, origins in column_lineage(self.catalog.view_sql(view), view.inputs).items()
        }
        for one in features_joined(self.catalog, view):
            found[one.name] = [_origin(f"features/{one.view.name}", one.column.name)]
        return {column: {"inputFields": origins} for column, origins in found.items()}


def _promised(column: Column) -> list[dict[str, Any]]:
    """What a contract promises of the values of a column: a partition without it is not written."""
    of = {"column": column.name, "success": True, "severity": "error"}
    kinds = [*([] if column.nullable else ["not_null"]), *(["unique"] if column.unique else [])]
    told = [{"assertion": "constraint", "description": text, **of} for text in column.constraints]
    return [*({"assertion": kind, **of} for kind in kinds), *told]


def _origin(name: str, column: str) -> dict[str, str]:
    return {"namespace": NAMESPACE, "name": name, "field": column}


def _statistics(found: Sequence[Artifact]) -> dict[str, Any]:
    counts = {"rowCount": _sum(found, "accepted", "rows"), "size": _sum(found, "bytes")}
    return {
        "outputStatistics": _facet(
            "outputStatistics", **{name: value for name, value in counts.items() if value is not None}
        )
    }


def _sum(found: Sequence[Artifact], *names: str) -> int | None:
    """The sum of the first of some properties that each artifact has; None where one has none of them."""
    values = [next((one.properties[name] for name in names if name in one.properties), None) for one in found]
    return None if None in values else sum(value for value in values if value is not None)


def _facet(kind: str, **values: object) -> dict[str, Any]:
    return {"_producer": _PRODUCER, "_schemaURL": f"{_SPEC}/facets/{_FACETS[kind]}", **values}


def _by_dataset(artifacts: Iterable[Artifact]) -> list[tuple[str, list[Artifact]]]:
    """Artifacts by the table they are of; the files of a source are a dataset beside its events."""
    found: dict[str, list[Artifact]] = {}
    for one in artifacts:
        found.setdefault(f"{one.key.table}/files" if one.type == FILE else one.key.table, []).append(one)
    return sorted(found.items())


def _unique(artifacts: Iterable[Artifact]) -> list[Artifact]:
    return [*{one.id: one for one in artifacts}.values()]
