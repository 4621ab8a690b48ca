"""raw: the work on one delivery, wherever it is done: its records read and staged as event files.

Nothing here imports Dagster, takes a lock or makes anything visible.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from mlpipe_assets.catalog.declarations import Source
from mlpipe_assets.catalog.versions import expect_version
from mlpipe_assets.errors import PrepareError
from mlpipe_assets.intake.delivery import Delivery
from mlpipe_assets.intake.intake import Intake, Pending
from mlpipe_assets.readers.blocks import UnreadableFileError
from mlpipe_assets.stages.raw.placement import read_delivery
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.staging import Staged


@dataclass(frozen=True, kw_only=True)
class DeliveryToRead:
    """A delivery as it is known before it is read, and where it is read from.

    Attributes:
        version: Of the declaration that is meant: where the work is done, another one may have been loaded before.
    """

    lake: Lake
    source: Source
    version: str
    intake: Intake
    file: Pending
    delivery: Delivery


@dataclass(frozen=True, kw_only=True)
class ReadDelivery:
    """A delivery that was read.

    Attributes:
        delivery: With its days and rows.
        staged: Its files, not yet visible.
    """

    delivery: Delivery
    staged: tuple[Staged, ...]


@dataclass(frozen=True, kw_only=True)
class UnreadDelivery:
    """A delivery of which nothing is staged.

    Attributes:
        problem: Why, in words.
        is_final: Whether it stays so until the delivery, or its declaration, changes; if not, the next run tries again.
    """

    problem: str
    is_final: bool


def read_one(item: DeliveryToRead) -> ReadDelivery | UnreadDelivery:
    """Read one delivery; what is wrong with it is a result, and stops no other.

    Raises: ExecutorError when the lake is not seen here, or the declaration is another one than where the work comes from;
        LakeError when the disk says no.
    """
    item.lake.expect_seen()
    expect_version(item.source, item.version)
    staged: list[Staged] = []
    try:
        read = read_delivery(item.lake, item.source, item.intake, item.file, item.delivery, staged)
        return ReadDelivery(delivery=read, staged=tuple(staged))
    except OSError as error:
        found = UnreadDelivery(problem=f"cannot be read: {error.strerror}", is_final=False)
    except UnreadableFileError as error:
        words = str(error).splitlines()[0][:300].removeprefix(f"{PurePosixPath(item.file.name).name}: ")
        found = UnreadDelivery(problem=words, is_final=True)
    except PrepareError as error:
        found = UnreadDelivery(problem=f"{error}", is_final=True)
    except BaseException:
        item.lake.discard(*staged)
        raise
    item.lake.discard(*staged)
    return found
