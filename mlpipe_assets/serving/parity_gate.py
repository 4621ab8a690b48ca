"""Which views must not answer, since what was answered online of them differs from what the lake says."""

from collections.abc import Mapping

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.catalog.joined_views import views_joined
from mlpipe_assets.catalog.serving_log import find_serving_log
from mlpipe_assets.store.lake import Lake

ONLINE_PARITY = "online_parity"
PARITY_TABLE = f"validation/{ONLINE_PARITY}"


def find_barred(lake: Lake, catalog: Catalog) -> Mapping[str, str]:
    """By view the sentence why it must not be answered from, published or predicted from; views that take features of it too.

    It holds until the day is judged again without a difference, or is accepted.
    """
    if find_serving_log(catalog) is None:
        return {}
    found: dict[str, str] = {}
    for day, refusal in sorted(lake.state("validation", ONLINE_PARITY).refused.items()):
        reason = (
            f"{PARITY_TABLE} [{day}] failed: {refusal['problem']}. It holds until the day is judged again without a "
            f"difference, or `mlpipe accept {PARITY_TABLE} {day} --reason …`"
        )
        for name in refusal.get("views", ()):
            found.setdefault(name, reason)
    if not found:
        return found
    for view in catalog.feature_views:
        taken = [found[other.name] for other in views_joined(catalog, view) if other.name in found]
        if taken:
            found.setdefault(view.name, taken[0])
    return found
