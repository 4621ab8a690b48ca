"""Whether a challenger becomes champion: one decision from numbers, with every reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlpipe_assets.catalog.learners import Promotion
from mlpipe_assets.errors import spell_count
from mlpipe_assets.learning.tasks.binary import BINARY
from mlpipe_assets.learning.tasks.task import Difference, Task


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


def lost_to(promotion: Promotion, difference: Difference, task: Task = BINARY) -> str | None:
    """Why a challenger loses to the champion; None when it does not.

    It loses when even the upper bound of the interval lies further below zero than the tolerance.
    """
    if difference.value is None or difference.high is None:
        later = spell_count(difference.rows, "test row lies", "test rows lie")
        return f"it cannot be compared with the champion: {later} after all the champion has seen" + (
            f", {task.untold}" if difference.rows else ""
        )
    if difference.high < -promotion.tolerance:
        lost, interval = task.spell_loss(difference)
        return (
            f"{lost} on the same {spell_count(difference.rows, 'row')} (95 % interval "
            f"{interval}, tolerance {promotion.tolerance:g})"
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
    task: Task = BINARY,
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
        task: What their answers are.
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
    value, interval = task.spell_difference(difference)
    return Decision(
        promoted=True,
        reason=f"does not lose to {champion}: {value} on the same {spell_count(difference.rows, 'row')} (95 % "
        f"interval {interval})",
    )
