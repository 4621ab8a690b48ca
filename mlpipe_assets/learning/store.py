"""A model as bytes and back, without pickle: skops, named types only, the same bytes for the same model.

skops names what it stores by memory address and stamps the archive with the time. Both are replaced: addresses by their
order, times by a constant.
"""

import hashlib
import io
import json
import warnings
import zipfile
from typing import Any

import skops.io
from sklearn.exceptions import InconsistentVersionWarning

from mlpipe_assets.learning.errors import StoredModelError
from mlpipe_assets.learning.fitting import FittedModel

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can say
TRUSTED = (  # every type a model of ours holds; a file with any other is refused before anything of it is made
    "builtins.bool",
    "builtins.dict",
    "builtins.float",
    "builtins.int",
    "builtins.list",
    "builtins.slice",
    "builtins.str",
    "builtins.tuple",
    "numpy.dtype",
    "numpy.bool",
    "numpy.float64",
    "numpy.int32",
    "numpy.int64",
    "numpy.ndarray",
    "numpy.uint32",
    "numpy.uint64",
    "numpy.random._generator.Generator",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.impute._base.MissingIndicator",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._encoders.OneHotEncoder",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "sklearn.preprocessing._label.LabelEncoder",
)


def dump_model(model: FittedModel) -> bytes:
    """The bytes of a model, the same for the same model in every process with the same libraries."""
    content = {
        "types": dict(model.types),
        "numeric": list(model.numeric),
        "left_out": list(model.left_out),
        "prepared": list(model.prepared),
        "rounds": model.rounds,
        "prevalence": model.prevalence,
        "pipeline": model.pipeline,
    }
    return _canonical(skops.io.dumps(content))


def load_model(content: bytes, *, digest: str, name: str) -> FittedModel:
    """The model whose bytes these are.

    Args:
        content: What `dump_model` gave.
        digest: SHA-256 it must have.
        name: What to call the file in an error.

    Raises: StoredModelError when the bytes are others, are no model, or hold a type that no model of ours holds.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise StoredModelError(
            f"{name} was changed since it was registered: its SHA-256 is {found[:12]}…, the registry says {digest[:12]}…. "
            "It is not loaded. Restore the file, or delete its folder and materialize the model again."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            schema = json.loads(archive.read(_SCHEMA))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise StoredModelError(f"{name} is no model file: {error}.") from error
    strange = sorted(_types(schema) - set(TRUSTED))
    if strange:
        raise StoredModelError(
            f"{name} holds {', '.join(strange[:5])}, which no model of ours holds. It is not loaded."
        )
    untrusted = [one for one in skops.io.get_untrusted_types(data=content) if one in TRUSTED]
    with warnings.catch_warnings():  # another version of the library is what the golden answers are asked again for
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        value = skops.io.loads(content, trusted=untrusted)
    if not isinstance(value, dict) or set(value) != set(FittedModel.__dataclass_fields__):
        raise StoredModelError(f"{name} is no model file of ours: it lacks the parts of one.")
    return FittedModel(
        types=value["types"],
        numeric=tuple(value["numeric"]),
        left_out=tuple(value["left_out"]),
        prepared=tuple(value["prepared"]),
        rounds=value["rounds"],
        prevalence=value["prevalence"],
        pipeline=value["pipeline"],
    )


def _canonical(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop(_SCHEMA))
    names: dict[str, str] = {}
    _rename(schema, {}, names)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        _add(archive, _SCHEMA, json.dumps(schema, separators=(",", ":")).encode())
        for old, new in names.items():
            _add(archive, new, files[old])
    return target.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _rename(node: Any, ids: dict[int, int], names: dict[str, str]) -> None:  # noqa: ANN401 (any JSON)
    """Number addresses and files of a schema by their first appearance, in place."""
    if isinstance(node, dict):
        if isinstance(node.get("__id__"), int):
            node["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
        if isinstance(node.get("file"), str):
            suffix = node["file"].rpartition(".")[2]
            node["file"] = names.setdefault(node["file"], f"{len(names) + 1}.{suffix}")
        for value in node.values():
            _rename(value, ids, names)
    elif isinstance(node, list):
        for value in node:
            _rename(value, ids, names)


def _types(node: Any) -> set[str]:  # noqa: ANN401 (any JSON)
    """Names of all types a schema wants made."""
    found: set[str] = set()
    if isinstance(node, dict):
        if "__class__" in node:
            found.add(f"{node.get('__module__')}.{node['__class__']}")
        for value in node.values():
            found |= _types(value)
    elif isinstance(node, list):
        for value in node:
            found |= _types(value)
    return found
