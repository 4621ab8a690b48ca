"""Branches of a lake in a bucket: each has a root and a lease of its own, and names contents that are there for all of them.

So a branch begins without a content that is copied or sent, and is written while main is. What a root of any of them names
stays: who takes contents away holds the leases of all.
"""

import shutil

from mlpipe_assets.errors import BusyError
from mlpipe_assets.store.copies.inventory import LEASE, ROOT, branches_of, of_branch
from mlpipe_assets.store.copies.known_files import beside, load_known
from mlpipe_assets.store.copies.use import BucketLake, leave


def names_of_branches(main: BucketLake) -> list[str]:
    """The branches that there are.

    Raises: SettingsError; StoreError.
    """
    return branches_of(main.objects)


def publish_branch(main: BucketLake, name: str) -> None:
    """Make a branch that was made on this machine one of the bucket; what main has there is not sent again.

    Raises: BusyError when another machine took main over, or has published; StoreError.
    """
    use, copy = main.use, main.of(name).open_copy()
    with main.in_turn():
        use.lease.expect_held()
        known = load_known(use.copy.note)
        if known.tag and use.copy.objects.get_if_changed(ROOT, known.tag) is not None:
            raise BusyError(
                f"{main.address}: another machine has published to this lake. No branch was made; run again."
            )
        copy.shared = frozenset(known.inventory().digests())
        copy.push(use.lease.gen)


def share_contents(main: BucketLake, name: str) -> None:
    """Do not send again to main what a branch has in the bucket; both are begun, and main ends first."""
    main.use.copy.shared = frozenset(load_known(main.of(name).use.copy.note).inventory().digests())


def drop_bucket_branch(branch: BucketLake) -> None:
    """Take a branch that was begun out of the bucket; it is ended without being published. Its contents go by `mlpipe gc`.

    Raises: BusyError when another machine took over; StoreError.
    """
    use = leave(branch)
    try:
        use.lease.expect_held()
        use.copy.objects.delete(of_branch(ROOT, branch.branch))
    finally:
        use.close()
    use.copy.objects.delete(of_branch(LEASE, branch.branch))
    forget_branch(branch)


def forget_branch(branch: BucketLake) -> None:
    """Take away what this machine has of a branch."""
    for folder in (branch.root, beside(branch.root)):
        shutil.rmtree(folder, ignore_errors=True)
