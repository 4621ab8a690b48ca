"""predictions/<model>_served: what a model said online, request by request, out of the serving log."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import orjson
import polars as pl

from mlpipe_assets.catalog.declarations import Model, Source
from mlpipe_assets.catalog.served_contracts import answered_columns, served_contract
from mlpipe_assets.catalog.versions import source_version
from mlpipe_assets.contracts.serving_log import PREDICTION
from mlpipe_assets.errors import spell_count
from mlpipe_assets.gate import judge
from mlpipe_assets.outcome import Outcome
from mlpipe_assets.rules import columns, contract_digest, digest, first_sentence
from mlpipe_assets.serving.snapshots.rows import read_column
from mlpipe_assets.stages.daily import at_work, check, daily
from mlpipe_assets.stages.telling import tell
from mlpipe_assets.stages.work import Wanted, Work, or_unreadable
from mlpipe_assets.store.changes import TableChange
from mlpipe_assets.store.lake import Lake

_AS_LOGGED = ("request_id", "answered_at", "row_number", "snapshot", "as_of", "model_version", "feature_version")


def served_asset(log: Source, model: Model) -> dg.AssetsDefinition:
    """The asset of the predictions that a server gave each day."""
    key, contract = dg.AssetKey(["predictions", model.served]), served_contract(model)

    @dg.asset(
        **daily(
            key,
            description=first_sentence(contract),
            owners=model.owners,
            kinds={"polars", "parquet"},
            code_version=served_version(log, model),
            contract=contract,
            checks=[check(key, "contract_holds", f"Every row of {contract.__name__} holds.", blocking=True)],
            deps=[dg.AssetDep(dg.AssetKey(["interim", log.name]))],
        )
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        with at_work(context, lake, key) as days:
            outcomes = build_served(lake, log, model, days)
        yield from tell(context, lake, key, outcomes, balanced=False)

    return build


def build_served(lake: Lake, log: Source, model: Model, days: Sequence[date]) -> list[Outcome]:
    """The predictions of each day out of the log; a day on which nobody asked has none."""
    change = lake.change("predictions", model.served)
    outcomes = [_build_day(lake, change, log, model, day) for day in days]
    change.publish()
    return outcomes


@or_unreadable(lambda model: f"predictions/{model.served}")
def served_work(lake: Lake, log: Source, model: Model, wanted: Wanted) -> Work:
    """Days of the log that predictions were not taken from as it is now; one on which nobody asked needs none."""
    answered, made = lake.state("interim", log.name), lake.state("predictions", model.served)
    days: list[date] = []
    blocked: list[tuple[date, str]] = []
    for day in filter(wanted, answered.days()):
        if not made.has(day) and day not in made.refused and not (answered.facts(day) or {}).get("accepted"):
            continue  # nobody asked
        inputs = _inputs(lake, log, model, day)
        refusal = made.refused.get(day)
        if refusal and refusal["inputs"] == inputs:
            blocked.append((day, str(refusal["problem"])))
        elif refusal or (made.facts(day) or {}).get("inputs") != inputs:
            days.append(day)
    return Work(table=f"predictions/{model.served}", days=tuple(days), blocked=tuple(blocked))


def served_version(log: Source, model: Model) -> str:
    """Code version of served predictions."""
    return digest([source_version(log), contract_digest(served_contract(model))])[:16]


def _inputs(lake: Lake, log: Source, model: Model, day: date) -> str:
    state = lake.state("interim", log.name)
    return digest([served_version(log, model), state.digest(day) if state.has(day) else None])


def _build_day(lake: Lake, change: TableChange, log: Source, model: Model, day: date) -> Outcome:
    contract, inputs = served_contract(model), _inputs(lake, log, model, day)
    there = lake.read("interim", log.name, day) if lake.has("interim", log.name, day) else None
    try:
        rows = read_predictions(there, model)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        count = spell_count(0 if there is None else there.height, "row")
        problem = (
            f"an answer among the {count} of interim/{log.name} is not of the types that {contract.__name__} has now"
        )
        change.refuse(day, problem=problem, inputs=inputs)
        return Outcome(day=day, breaches=[problem], refused="cannot be read")
    judgement = judge(rows, contract)
    counts = {"rows": rows.height}
    if not judgement.holds:
        change.refuse(day, problem="; ".join(judgement.errors())[:500], inputs=inputs)
        return Outcome(day=day, counts=counts, breaches=judgement.errors(), refused="breaks its contract")
    facts = {
        "table": f"predictions/{model.served}",
        "date": f"{day}",
        "code_version": served_version(log, model),
        "inputs": inputs,
        "fingerprint": inputs,
        **counts,
    }
    written = change.table.stage(day, rows, facts)
    change.put(written)
    change.clear(day)
    return Outcome(day=day, counts=counts, written=written, facts=facts)


def read_predictions(log: pl.DataFrame | None, model: Model) -> pl.DataFrame:
    """The rows of a log that a model answered, each value of the type that its table has.

    Raises: PolarsError, TypeError, ValueError, OverflowError for a value that is not of it.
    """
    types = {column.name: column.dtype for column in columns(served_contract(model))}
    if log is None:
        return pl.DataFrame(schema=types)
    rows = log.filter(kind=PREDICTION, model=model.name).sort("answered_at", "request_id", "row_number")
    said = dict.fromkeys(answered_columns(model), "answer")
    said |= dict.fromkeys(model.view.entity.join_keys, "join_keys")
    texts: dict[str, list[dict[str, Any]]] = {
        column: [orjson.loads(text) for text in rows[column]] for column in ("answer", "join_keys", "statuses")
    }
    read = [read_column([one.get(name) for one in texts[column]], types[name], name) for name, column in said.items()]
    status = pl.Series("status", [one.get("row") for one in texts["statuses"]], dtype=pl.String)
    return rows.select(_AS_LOGGED).with_columns(status, *read).select([*types])
