"""What a request may say, and what is said to one that may not: a plain sentence that quotes none of its values."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlpipe_assets.serving.answers import BadRequestError
from mlpipe_assets.serving.push.pushed_rows import MOST_ROWS

_FEATURE = r"^[^:]+:[^:]+$"
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is no part of this request",
    "json_invalid": "is not JSON",
    "string_type": "is not a text",
    "int_type": "is not a whole number",
    "bool_type": "is not true or false",
    "list_type": "is not a list",
    "dict_type": "is not an object",
    "model_type": "is not an object",
    "model_attributes_type": "is not an object",
    "too_short": "is empty",
    "string_pattern_mismatch": "is not spelled as view:feature, or view:* for all of a view",
}
Entities = dict[Annotated[str, Field(min_length=1, max_length=200)], list[str | int]]
_ENTITIES = Field(min_length=1, description="The values of each join key, as many of each: one a row of the answer.")


Row = Annotated[dict[str, Any], Field(min_length=1)]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class FeatureRequest(_Request):
    """Which features of which entities."""

    features: list[Annotated[str, Field(pattern=_FEATURE)]] | None = Field(
        None, min_length=1, description="As view:feature, or view:* for all of a view. Either this or feature_service."
    )
    feature_service: str | None = Field(None, description="The name of a model, for the features that it takes.")
    entities: Entities = _ENTITIES
    full_feature_names: bool = Field(default=False, description="Whether names in the answer are view__feature.")


class PredictRequest(_Request):
    """Which entities a model is asked about."""

    entities: Entities = _ENTITIES


class PushRequest(_Request):
    """Rows of a source, or one row, by the names of its columns. They are read off the body as they are spelled."""

    rows: Annotated[list[Row], Field(min_length=1, max_length=MOST_ROWS)] | Row = Field(
        description="Each is taken as a row of a JSON file of the source would be. All are taken, or none."
    )


class PushAnswer(BaseModel):
    """What became of the rows: they are on the disk."""

    rows: int = Field(description="Rows of the request.")
    late: int = Field(
        description="Of these, rows of days that are closed: they are taken, and change no answer before the next run."
    )
    not_online: dict[str, str] | None = Field(
        None, description="Views of the source whose answers do not follow, and why."
    )


Request = TypeVar("Request", bound=_Request)


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str = Field(description="A sentence that says what is wrong and what to do.")
    request_id: str


class Metadata(BaseModel):
    """What the columns of an answer are."""

    feature_names: list[str]


class Column(BaseModel):
    """One column of an answer: a value, a status and an event time for each entity."""

    values: list[Any]
    statuses: list[str]
    event_timestamps: list[str]


class FeatureAnswer(BaseModel):
    """Features by column, as Feast gives them."""

    metadata: Metadata
    results: list[Column]


class PredictMetadata(BaseModel):
    """What predictions rest on."""

    model: str
    model_version: str
    feature_version: str
    decide_above: float | None = None
    request_id: str


class Prediction(BaseModel):
    """The answer for one entity: probability and decision, prediction and probability, or prediction, as the model's task says.

    Beside them stands the probability of each class that the contract of predictions asks for.
    """

    model_config = ConfigDict(extra="allow")

    entity: dict[str, str | int]
    status: str
    as_of: str | None
    probability: float | None = None
    decision: bool | None = None
    prediction: float | int | str | None = None


class PredictAnswer(BaseModel):
    """Predictions in the order of the request."""

    metadata: PredictMetadata
    results: list[Prediction]


class Health(BaseModel):
    """Whether the server can answer."""

    status: str
    snapshot: str | None
    log: str | None = Field(None, description="Why answers are not logged; they are given all the same.")
    not_online: dict[str, str] | None = Field(
        None, description="Views whose answers do not follow pushed rows, and why."
    )


def parse(kind: type[Request], body: bytes) -> Request:
    """A request of a kind.

    Raises: BadRequestError with every reason, up to three.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        raise BadRequestError("The body is not JSON.", status=400) from None
    wrong: dict[str, list[str]] = {}
    for one in found:
        wrong.setdefault(_spell_place(one["loc"]), []).append(_WORDS.get(one["type"], "is not what it should be"))
    lines = [f"{place} {_spell_wrong([*dict.fromkeys(words)])}" for place, words in wrong.items()]
    raise BadRequestError(f"{'; '.join(lines[:3])}.") from None


def count_entities(entities: Mapping[str, Sequence[object]], most: int) -> int:
    """How many entities a request asks for.

    Raises: BadRequestError for join keys of different lengths, none, or too many.
    """
    counts = {len(values) for values in entities.values()}
    if len(counts) > 1:
        raise BadRequestError(
            "The join keys of entities have lists of different lengths; each entity needs all of its keys."
        )
    count = next(iter(counts), 0)
    if not count:
        raise BadRequestError("entities names no entity.")
    if count > most:
        raise BadRequestError(f"{count:,} entities are more than the {most:,} of one request. Ask in several.")
    return count


def _spell_wrong(words: Sequence[str]) -> str:
    """What is wrong at one place, which may be none of several things."""
    kinds = [word.removeprefix("is not ") for word in words if word.startswith("is not ")]
    return f"is neither {' nor '.join(kinds)}" if len(kinds) == len(words) > 1 else ", and ".join(words)


def _spell_place(place: Sequence[int | str]) -> str:
    """Where in the body something is, in words; names of the sender are not repeated beyond the first two."""
    shown = [f"{part}" if isinstance(part, str) else f"[{part}]" for part in place if part not in ("str", "int")]
    return "".join(shown[:1] + [part if part.startswith("[") else f".{part[:60]}" for part in shown[1:3]]) or "The body"
