"""The whole graph on a share of the entities, in a data folder and a Dagster instance of its own: minutes become seconds."""

import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl

from mlpipe_assets.automation.catch_up import Summary, catch_up
from mlpipe_assets.catalog.declarations import Catalog, Source
from mlpipe_assets.catalog.feeds import Files
from mlpipe_assets.catalog.serving_log import find_serving_log
from mlpipe_assets.concurrency import in_order
from mlpipe_assets.errors import LakeError, PrepareError, SettingsError, shorten
from mlpipe_assets.intake.intake import Intake, Pending
from mlpipe_assets.intake.registry import intake_of
from mlpipe_assets.readers.blocks import Block, UnreadableFileError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.private_files import make_folder
from mlpipe_assets.transforms.events import clean_text, decode

_log = logging.getLogger("mlpipe")
_MARK = ".prototype"
_PARTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """What a prototype run did: where, over how many entities and of the rows received, and how it went."""

    root: Path
    share: float
    rows_read: int
    rows_kept: int
    entities: int
    summary: Summary


def run_prototype(
    lake: Lake,
    catalog: Catalog,
    share: float,
    define: Callable[[Catalog, Path], dg.Definitions],
    wanted: Callable[[date], bool] = lambda _: True,
) -> Prototype:
    """Sample what came into `<data>/prototype` and bring every stage up to date there; the real lake is only read.

    Args:
        lake: The real lake.
        catalog: What exists.
        share: Share of the entities to keep, above 0 and up to 1; the same ones each time, in every source.
        define: The definitions of a catalog over a data folder.
        wanted: Which days may be built.

    Raises: SettingsError for a share that is none; LakeError when the folder is not ours to empty.
    """
    if not 0 < share <= 1:
        raise SettingsError(
            f"--sample is {share}; it takes a share of the entities, above 0 and up to 1, such as 0.01."
        )
    root = _emptied(lake.root / keys.PROTOTYPE)
    read = kept = 0
    chosen = _Chosen(share)
    log = find_serving_log(catalog)  # what was answered from the real lake is nothing to hold a prototype to
    sources = [source for source in catalog.sources if source is not log]
    for source in sources:
        key = _entity_column(catalog, source)
        intake = intake_of(lake, source)
        files, _ = intake.look({})
        target = root / keys.drop_zone(source.name)
        target.mkdir(parents=True, exist_ok=True)
        _log.info("prototype: %s files of raw/%s", f"{len(files):,}", source.name)
        sample = partial(_sample_file, intake=intake, source=source, key=key, target=target, chosen=chosen)
        for rows, left in in_order(sample, files):
            read, kept = read + rows, kept + left
    # A day may hold none of the few entities there are here: that is no hole.
    sampled = replace(catalog, sources=tuple(map(_sampled, sources)))
    with dg.DagsterInstance.ephemeral() as instance:
        summary = catch_up(Lake(data_dir=str(root)), sampled, lambda: (define(sampled, root), instance), wanted)
    return Prototype(
        root=root, share=share, rows_read=read, rows_kept=kept, entities=sum(chosen.values()), summary=summary
    )


def prototype_job(catalog: Catalog, define: Callable[[Catalog, Path], dg.Definitions]) -> dg.JobDefinition:
    """`prototype_job`: the whole graph on a share of the entities; its runs are on an instance of their own, in memory."""

    @dg.op(config_schema={"share": dg.Field(float, default_value=0.01, description="Share of the entities.")})
    def prototype(context: dg.OpExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        made = run_prototype(lake, catalog, context.op_config["share"], define)
        built = {table: len(set(done.days)) for table, done in made.summary.tables.items()}
        rows = {"rows_read": made.rows_read, "rows_kept": made.rows_kept}
        context.add_output_metadata({"folder": "prototype", "share": made.share, **rows, "partitions_built": built})
        if made.summary.errors:
            raise dg.Failure(
                description=f"prototype: {shorten(made.summary.errors)}"[:2000],
                metadata={"errors": made.summary.errors[:100]},
                allow_retries=False,
            )

    @dg.job(
        name="prototype_job",
        description="The whole graph on 1 % of the entities, in data/prototype; nothing else is touched.",
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        prototype()

    return job


def is_sampled(key: str, share: float) -> bool:
    """Whether an entity is in the sample: a stable hash of its key, the same on every machine and in every source."""
    return zlib.crc32(key.encode()) % _PARTS < share * _PARTS


def _entity_column(catalog: Catalog, source: Source) -> str | None:
    """The column of a source that names the entity of a view; None takes the whole source."""
    names = source.contract.to_schema().columns
    keys = [view.entity.join_keys[0] for view in catalog.feature_views if source.name in view.inputs]
    return next((key for key in keys if key in names), None)


class _Chosen(dict[str, bool]):
    """Whether an entity is in the sample; each is hashed once, however many files it is in."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def __missing__(self, key: str) -> bool:
        self[key] = is_sampled(key, self._share)
        return self[key]


def _sampled(source: Source) -> Source:
    """A source as its sample is read: files with lines of JSON, which no wrapper holds."""
    files = source.feed if isinstance(source.feed, Files) else Files()
    return replace(source, empty_days=True, feed=replace(files, location=None, records=None))


def _sample_file(
    file: Pending, intake: Intake, source: Source, key: str | None, target: Path, chosen: _Chosen
) -> tuple[int, int]:
    """Rows read and rows kept of one file, kept as JSON lines under its name and time; unreadable files are left out."""
    copy = target / f"{file.name}.jsonl"
    copy.parent.mkdir(parents=True, exist_ok=True)
    read = kept = 0
    try:
        with copy.open("w", encoding="utf-8") as handle:
            for rows in _payloads(intake.open(file), source, key, chosen):
                read, kept = read + rows[0], kept + rows[1].len()
                # JSON holds line ends only as white space: without them each object is one line.
                lines = rows[1].str.replace_all(r"[\r\n]+", " ")
                handle.writelines(f"{line}\n" for line in lines)
    except (UnreadableFileError, OSError, PrepareError):
        copy.unlink(missing_ok=True)  # the real run names it; a prototype goes on with what it has
        return read, 0
    os.utime(copy, ns=(_modified_ns(file, intake, source),) * 2)
    return read, kept


def _modified_ns(file: Pending, intake: Intake, source: Source) -> int:
    """The time of its copy: by that, or by the date in its name, it is known when the real one is."""
    known = intake.known(file).known_at
    return file.modified_ns if isinstance(source.feed, Files) else int(known.timestamp()) * 1_000_000_000


def _payloads(
    blocks: Iterator[Block], source: Source, key: str | None, chosen: _Chosen
) -> Iterator[tuple[int, pl.Series]]:
    """Of each block of a file, the number of its rows and the payloads of those in the sample."""
    for block in blocks:
        payload = block.records["payload"]
        if key is None or not payload.len():
            yield payload.len(), payload
            continue
        text = block.text if block.text is not None else decode(payload, None if source.prepare else [key])
        keys = clean_text(text, source, [key])[key]
        here = [k for k in keys.drop_nulls().unique().to_list() if chosen[k]]
        yield payload.len(), payload.filter(keys.is_in(here).fill_null(value=False))


def _emptied(root: Path) -> Path:
    """The folder of the prototype, new."""
    if root.exists():
        if not (root / _MARK).exists() and any(root.iterdir()):
            raise LakeError(f"{root} is not a prototype's folder: it lacks {_MARK}. Move it away and run again.")
        shutil.rmtree(root)
    try:
        make_folder(root.parent, root)
        (root / _MARK).touch()
    except OSError as error:
        raise LakeError(f"Cannot make {root}: {error.strerror}.") from error
    return root
