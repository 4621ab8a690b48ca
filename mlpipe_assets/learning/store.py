"""A model as bytes and back, without pickle: skops, named types only, the same bytes for the same model.

skops names what it stores by memory address and stamps the archive with the time. Both are replaced: addresses by their
order, times by a constant.
"""

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Collection
from typing import Any

import skops.io
from sklearn.exceptions import InconsistentVersionWarning

from mlpipe_assets.catalog.trusted_types import TRUSTED
from mlpipe_assets.learning.errors import StoredModelError
from mlpipe_assets.learning.fitting import FittedModel
from mlpipe_assets.learning.tasks.binary import BINARY

_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can say
_PARTS = frozenset({"types", "numeric", "left_out", "prepared", "rounds", "pipeline"})
_OF_LABEL = (frozenset({"prevalence"}), frozenset({"task", "label"}))  # of a binary model, and of any other


def dump_model(model: FittedModel) -> bytes:
    """The bytes of a model, the same for the same model in every process with the same libraries."""
    of_label = {"task": model.task, "label": dict(model.label)} if model.task != BINARY.name else dict(model.label)
    content = {
        "types": dict(model.types),
        "numeric": list(model.numeric),
        "left_out": list(model.left_out),
        "prepared": list(model.prepared),
        "rounds": model.rounds,
        **of_label,
        "pipeline": model.pipeline,
    }
    return _canonical(skops.io.dumps(content))


def load_model(content: bytes, *, digest: str, name: str, trusted: Collection[str] | None = None) -> FittedModel:
    """The model whose bytes these are.

    Args:
        content: What `dump_model` gave.
        digest: SHA-256 it must have.
        name: What to call the file in an error.
        trusted: Of a learner that brings its estimator: types that it declares, besides those that skops trusts of its own.
            None for a built-in one, whose types are known.

    Raises: StoredModelError when the bytes are others, are no model, or hold a type that no model of ours holds.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise StoredModelError(
            f"{name} was changed since it was registered: its SHA-256 is {found[:12]}…, the registry says {digest[:12]}…. "
            "It is not loaded. Restore the file, or delete its folder and materialize the model again."
        )
    strange = find_strange_types(content, name=name, trusted=trusted)
    if strange:
        whose = "no model of ours holds" if trusted is None else "its learner does not name in trusted=(…)"
        raise StoredModelError(f"{name} holds {', '.join(strange[:5])}, which {whose}. It is not loaded.")
    untrusted = skops.io.get_untrusted_types(data=content)
    with warnings.catch_warnings():  # another version of the library is what the golden answers are asked again for
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        value = skops.io.loads(content, trusted=untrusted)
    if not isinstance(value, dict) or set(value) - _PARTS not in _OF_LABEL or not set(value) >= _PARTS:
        raise StoredModelError(f"{name} is no model file of ours: it lacks the parts of one.")
    return FittedModel(
        types=value["types"],
        numeric=tuple(value["numeric"]),
        left_out=tuple(value["left_out"]),
        prepared=tuple(value["prepared"]),
        rounds=value["rounds"],
        label=value["label"] if "label" in value else {"prevalence": value["prevalence"]},
        pipeline=value["pipeline"],
        task=value.get("task", BINARY.name),
    )


def find_strange_types(content: bytes, *, name: str, trusted: Collection[str] | None = None) -> list[str]:
    """Types in a model file that are not to be made of it, in order; read off its schema, and nothing of it is made.

    Raises: StoredModelError when it is no model file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            schema = json.loads(archive.read(_SCHEMA))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise StoredModelError(f"{name} is no model file: {error}.") from error
    held = _types(schema) if trusted is None else set(skops.io.get_untrusted_types(data=content))
    return sorted(held - {*TRUSTED, *(trusted or ())})


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
