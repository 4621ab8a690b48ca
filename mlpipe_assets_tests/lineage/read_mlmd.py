"""What the library of ML Metadata reads of a database, as JSON; run where it is installed."""

import json
import sys

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

config = metadata_store_pb2.ConnectionConfig()
config.sqlite.filename_uri = sys.argv[1]
config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE
store = metadata_store.MetadataStore(config)


def name_of(artifact: metadata_store_pb2.Artifact) -> str:
    """The partition that an artifact is of."""
    return f"{artifact.properties['table'].string_value}@{artifact.properties['partition'].string_value}"


artifacts = {one.id: one for one in store.get_artifacts()}
[features] = [
    one for one in store.get_artifacts_by_type("Features") if name_of(one) == sys.argv[2] and one.state == one.LIVE
]
makers = [e.execution_id for e in store.get_events_by_artifact_ids([features.id]) if e.type == e.OUTPUT]
given = [e.artifact_id for e in store.get_events_by_execution_ids(makers[-1:]) if e.type == e.INPUT]
[made] = store.get_executions_by_id(makers[-1:])
[model] = store.get_contexts_by_type("Model")
found = {
    "types": sorted(one.name for one in store.get_artifact_types()),
    "artifacts": len(artifacts),
    "executions": len(store.get_executions()),
    "contexts": len(store.get_contexts()),
    "made_by": [made.properties["name"].string_value, made.properties["run"].string_value],
    "given": sorted(name_of(artifacts[number]) for number in given),
    "rows": features.custom_properties["rows"].int_value,
    "model": model.name,
    "versions": sorted(
        {name_of(one) for one in store.get_artifacts_by_context(model.id) if one.type == "ModelVersion"}
    ),
}
sys.stdout.write(json.dumps(found))
