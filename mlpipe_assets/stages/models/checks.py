"""What became of a model version, told as checks."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlpipe_assets.errors import shorten
from mlpipe_assets.outcome import CheckResult
from mlpipe_assets.training.versions import ModelVersion

if TYPE_CHECKING:  # scikit-learn takes seconds to import, and the definitions need the names of the checks only
    from mlpipe_assets.stages.models.judging import Judgement

TOLD = "alert"
MODEL_CHECKS = {
    "model_loads_and_answers": "Read back from disk, the model gives the answers it gave when it was fitted.",
    "model_is_reproducible": "Fitted again on the same training set, the model is the same, byte for byte.",
    "beats_baselines": "On test its loss is below that of every baseline, and none ranks better beyond chance.",
    "thresholds_hold": "The declared thresholds hold on test.",
    "challenger_does_not_lose": "It does not do worse than the champion on the same rows, beyond tolerance and chance.",
}


def tell_model_checks(
    judgement: "Judgement", known: ModelVersion | None, now: ModelVersion, better_baselines: str | None
) -> list[CheckResult]:
    """A result of each of `MODEL_CHECKS`.

    Args:
        judgement: Of the version as it was just fitted.
        known: The same version as the registry had it before; None for a new one.
        now: As the registry has it after the decision.
        better_baselines: Which baselines are better than it, and by how much.
    """
    return [
        _result("model_loads_and_answers", judgement.unanswered, "It gives the same answers.", error=True),
        _reproduced(known, judgement.version),
        _result("beats_baselines", better_baselines, "Its loss is below every baseline's."),
        _result(
            "thresholds_hold", "; ".join(judgement.missed) or None, "Every declared threshold holds on test.", tell=True
        ),
        _challenge(now, judgement),
    ]


def nothing_to_judge() -> list[CheckResult]:
    """The checks of a model that could not be fitted: none passed, none blocks."""
    return [_result(name, "No model could be fitted, so there was nothing to judge.", "") for name in MODEL_CHECKS]


def _reproduced(known: ModelVersion | None, fresh: ModelVersion) -> CheckResult:
    if known is None:
        return _result("model_is_reproducible", None, "The first fit of this version; materialize it again to compare.")
    problem = (
        f"fitted again, {fresh.version} has the digest {fresh.file_digest[:12]}…, the registry has {known.file_digest[:12]}…; "
        "the one that was registered is kept"
        if fresh.file_digest != known.file_digest
        else None
    )
    return _result("model_is_reproducible", problem, "Fitted again, it is the same byte for byte.")


def _challenge(now: ModelVersion, judgement: "Judgement") -> CheckResult:
    leading, difference = judgement.leading, judgement.difference
    fine = (
        "There was no other champion to compare with." if leading is None else f"It is held against {leading.version}."
    )
    if leading is not None and leading.version == now.version:
        fine = "It is the champion."
    if judgement.outdated:
        fine = f"Not compared with {leading.version if leading else 'the champion'}: {judgement.outdated}."
    result = _result("challenger_does_not_lose", judgement.lost, fine, tell=True)
    numbers = {name: value for name, value in difference.to_dict().items() if value is not None} if difference else {}
    evidence: dict[str, Any] = {"status": now.status, "reason": now.reason, **numbers}
    return replace(result, metadata={**result.metadata, **evidence})


def _result(name: str, problem: str | None, fine: str, *, error: bool = False, tell: bool = False) -> CheckResult:
    """A check's result; `tell` marks a warning that people are alerted of, as of an error."""
    return CheckResult(
        check_name=name,
        passed=problem is None,
        warns=not error,
        description=shorten([problem]) if problem else fine,
        metadata={TOLD: True} if tell and problem else {},
    )
