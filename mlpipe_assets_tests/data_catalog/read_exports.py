"""Read the exports of a catalog with the libraries that own the formats; run by a Python that has them.

Prints one JSON object: what each library found.
"""

import json
import sys
from pathlib import Path

import botocore.session
import jsonschema
import mlcroissant
import open_data_contract_standard
import yaml
from botocore.validate import ParamValidator
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from open_data_contract_standard.model import OpenDataContractStandard


def read_odcs(folder: Path) -> dict[str, object]:
    """Contracts by table, and what the standard's own schema says against them."""
    schema = json.loads((Path(open_data_contract_standard.__file__).parent / "schema.json").read_text())
    validator = jsonschema.Draft201909Validator(schema)
    wrong, found = [], {}
    for path in sorted(folder.glob("*.yaml")):
        wrong += [f"{path.name}: {error.message}" for error in validator.iter_errors(yaml.safe_load(path.read_text()))]
        contract = OpenDataContractStandard.from_file(str(path))
        found[contract.name] = [one.name for one in contract.schema_[0].properties]
    return {"wrong": wrong, "contracts": found}


def read_glue(folder: Path) -> dict[str, object]:
    """Tables with the number of their columns, and what AWS's own model says against them."""
    shape = botocore.session.get_session().get_service_model("glue").shape_for("TableInput")
    wrong, found = [], {}
    for path in sorted(folder.glob("*.json")):
        table = json.loads(path.read_text())
        report = ParamValidator().validate(table, shape)
        wrong += [f"{path.name}: {report.generate_report()}"] if report.has_errors() else []
        found[table["Name"]] = len(table["StorageDescriptor"]["Columns"])
    return {"wrong": wrong, "tables": found}


def read_datahub(folder: Path) -> dict[str, object]:
    """How many proposals there are, and those that DataHub's own types do not take."""
    proposals = json.loads((folder / "mlpipe.mcps.json").read_text())
    read = [MetadataChangeProposalWrapper.from_obj(one) for one in proposals]
    wrong = [f"{one.entityUrn} {one.aspectName}" for one in read if not one.validate()]
    return {"wrong": wrong, "proposals": len(read), "aspects": sorted({f"{one.aspectName}" for one in read})}


def read_croissant(folder: Path) -> dict[str, object]:
    """Rows of each split of each training set, and what is wrong with their descriptions."""
    wrong, found = [], {}
    for path in sorted(folder.glob("*.json")):
        dataset = mlcroissant.Dataset(str(path))
        wrong += [*dataset.metadata.issues.errors]
        found[dataset.metadata.name] = {
            one.uuid: sum(1 for _ in dataset.records(one.uuid)) for one in dataset.metadata.record_sets
        }
    return {"wrong": [f"{one}" for one in wrong], "rows": found}


if __name__ == "__main__":
    root = Path(sys.argv[1])
    readers = {"odcs": read_odcs, "glue": read_glue, "datahub": read_datahub, "croissant": read_croissant}
    sys.stdout.write(json.dumps({name: read(root / name) for name, read in readers.items()}))
