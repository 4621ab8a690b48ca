"""Whether a challenger becomes champion: one decision from numbers, with every reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlpipe_assets.catalog.learners import Promotion
from mlpipe_assets.errors import spell_count
from mlpipe_assets.learning.comparison import Difference
from mlpipe_assets.learning.metrics import Metrics


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether a challenger becomes champion, and why.

    Attributes:
        promoted: It becomes champion.
        reason: One line: what it won by, or everything that speaks against it.
        loses: It loses to the champion on the same rows, or cannot be compared.
    """

    promoted: bool
    reason: str
    loses: bool = False


def missed_thresholds(promotion: Promotion, test: Metrics, prevalence: Metrics) -> list[str]:
    """Which absolute thresholds a model misses on test, in words; what cannot be told is missed."""
    problems: list[str] = []
    if test.roc_auc is None:
        problems.append(
            f"ROC AUC on test cannot be told: {test.positives:,} of {spell_count(test.rows, 'row is', 'rows are')} positive"
        )
    elif test.roc_auc < promotion.min_roc_auc:
        problems.append(f"ROC AUC {test.roc_auc:.4f} on test is below {promotion.min_roc_auc:g}")
    if test.log_loss is not None and prevalence.log_loss is not None:
        most = promotion.max_log_loss_ratio * prevalence.log_loss
        if test.log_loss > most:
            problems.append(
                f"log loss {test.log_loss:.4f} on test is above {most:.4f} ({promotion.max_log_loss_ratio:g} times the "
                "prevalence baseline)"
            )
    return problems


def lost_to(promotion: Promotion, difference: Difference) -> str | None:
    """Why a challenger loses to the champion; None when it does not.

    It loses when even the upper bound of the interval lies further below zero than the tolerance.
    """
    if difference.value is None or difference.high is None:
        later = spell_count(difference.rows, "test row lies", "test rows lie")
        return f"it cannot be compared with the champion: {later} after all the champion has seen" + (
            ", of one class only" if difference.rows else ""
        )
    if difference.high < -promotion.tolerance:
        return (
            f"ROC AUC is {-difference.value:.4f} below the champion's on the same {spell_count(difference.rows, 'row')} (95 % interval "
            f"{difference.low:+.4f} to {difference.high:+.4f}, tolerance {promotion.tolerance:g})"
        )
    return None


def decide(
    *,
    missed: Sequence[str],
    golden_problem: str | None,
    newer_champion: str | None,
    champion: str | None,
    champion_outdated: str | None,
    lost: str | None,
    difference: Difference | None,
) -> Decision:
    """Whether a challenger becomes champion.

    Args:
        missed: Absolute thresholds it misses.
        golden_problem: Why it does not load or answer on the golden rows.
        newer_champion: The champion when that learnt from a later training set.
        champion: The present champion.
        champion_outdated: Why the champion cannot be compared with and has to go, such as features of another version.
        lost: Why it loses to the champion.
        difference: Of both on the same rows.
    """
    against = [*missed, *([golden_problem] if golden_problem else [])]
    if newer_champion:
        against.append(f"the champion {newer_champion} learnt from a later training set")
    loses = champion is not None and champion_outdated is None and lost is not None
    if loses and lost:
        against.append(lost)
    if against:
        return Decision(promoted=False, reason=f"kept, not promoted: {'; '.join(against)}", loses=loses)
    if champion is None:
        return Decision(promoted=True, reason="the first model to hold every threshold")
    if champion_outdated:
        return Decision(
            promoted=True, reason=f"holds every threshold; not compared with {champion}: {champion_outdated}"
        )
    if difference is None or difference.value is None:
        return Decision(promoted=True, reason=f"holds every threshold in place of {champion}")
    return Decision(
        promoted=True,
        reason=f"does not lose to {champion}: ROC AUC {difference.value:+.4f} on the same {spell_count(difference.rows, 'row')} (95 % "
        f"interval {difference.low:+.4f} to {difference.high:+.4f})",
    )
