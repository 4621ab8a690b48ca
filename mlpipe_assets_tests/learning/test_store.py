"""Stored models: the same bytes, the same answers, and nothing else ever loaded."""

import hashlib
import io
import zipfile

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.naive_bayes import GaussianNB

from mlpipe_assets.learning.errors import StoredModelError
from mlpipe_assets.learning.fitting import fit, predict
from mlpipe_assets.learning.store import dump_model, load_model
from mlpipe_assets_tests.learning.rows import BOOSTED, LOGISTIC, training_rows

MODEL = fit(BOOSTED, training_rows(), training_rows(80, seed=2), "label")
CONTENT = dump_model(MODEL)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("learner", [BOOSTED, LOGISTIC], ids=["boosted", "logistic"])
def test_a_model_comes_back_as_it_was(learner: object) -> None:
    model = fit(learner, training_rows(), training_rows(80, seed=2), "label")  # type: ignore[arg-type]
    content = dump_model(model)

    again = load_model(content, digest=sha(content), name="models/x/v1/model.skops")

    rows = training_rows(50, seed=3).select(model.features)
    assert predict(again, rows).equals(predict(model, rows))
    assert dump_model(again) == content
    assert (again.types, again.prepared, again.rounds) == (model.types, model.prepared, model.rounds)


def test_the_file_holds_json_and_plain_arrays_and_no_time() -> None:
    with zipfile.ZipFile(io.BytesIO(CONTENT)) as archive:
        arrays = [np.load(io.BytesIO(archive.read(n)), allow_pickle=False) for n in archive.namelist() if "npy" in n]
        suffixes = {name.rpartition(".")[2] for name in archive.namelist()}
        times = {entry.date_time for entry in archive.infolist()}

    assert arrays
    assert suffixes == {"json", "npy"}
    assert times == {(1980, 1, 1, 0, 0, 0)}


@settings(max_examples=30, deadline=None)
@given(place=st.integers(0, len(CONTENT) - 1), bit=st.integers(0, 7))
def test_any_changed_byte_is_refused(place: int, bit: int) -> None:
    changed = bytearray(CONTENT)
    changed[place] ^= 1 << bit

    with pytest.raises(StoredModelError, match=r"models/x/v1/model.skops was changed since it was registered"):
        load_model(bytes(changed), digest=sha(CONTENT), name="models/x/v1/model.skops")


@pytest.mark.parametrize(
    "intruder", [GaussianNB(), print, np.random.RandomState(1)], ids=["class", "function", "state"]
)
def test_a_type_that_no_model_of_ours_holds_is_refused_even_under_its_own_digest(intruder: object) -> None:
    content = skops.io.dumps({"pipeline": MODEL.pipeline, "types": intruder})

    with pytest.raises(StoredModelError, match="which no model of ours holds"):
        load_model(content, digest=sha(content), name="model.skops")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"not a zip", "is no model file"), (skops.io.dumps({"pipeline": MODEL.pipeline}), "it lacks the parts of one")],
)
def test_something_else_is_no_model(content: bytes, problem: str) -> None:
    with pytest.raises(StoredModelError, match=problem):
        load_model(content, digest=sha(content), name="model.skops")
