"""mlpipe copy-lake: a lake from a folder into a bucket, and back."""

import argparse
from pathlib import Path

from mlpipe_assets.commands.calling import command
from mlpipe_assets.commands.console import make_console, open_lake, plain
from mlpipe_assets.errors import LakeError, SettingsError, spell_count
from mlpipe_assets.settings import read_settings
from mlpipe_assets.store.copies.moves import Copied, LakeMove
from mlpipe_assets.store.copies.use import open_bucket
from mlpipe_assets.verification import verify


def copy_lake(options: argparse.Namespace) -> int:
    """Copy the lake that the environment names to where there is none."""
    settings, target = read_settings(), str(options.target)
    address = settings.lake_address
    if "://" in target and address:
        raise SettingsError(
            "MLPIPE_DATA_DIR and TARGET are buckets. Copy into a folder first: mlpipe copy-lake FOLDER; and from there: "
            "MLPIPE_DATA_DIR=FOLDER mlpipe copy-lake TARGET"
        )
    if address and settings.branch:
        raise SettingsError(
            f"This is branch {settings.branch}, by MLPIPE_BRANCH, and copy-lake takes main along. Unset it."
        )
    if "://" in target:
        copied = _into_bucket(target)
    elif address:
        move = LakeMove(root=Path(target).absolute(), objects=open_bucket(address), where=address)
        copied = move.into_folder()
        target = f"{move.root}"
    else:
        raise SettingsError(
            "The lake is in a folder, and so is TARGET: cp -a copies it. Name a bucket, such as s3://BUCKET/PREFIX."
        )
    console = make_console(options)
    if not options.quiet:
        console.print(_spell(copied, target), soft_wrap=True)
        console.print(f"Next: MLPIPE_DATA_DIR={plain(target)} {plain(command())} status", soft_wrap=True)
    return 0


def _into_bucket(target: str) -> Copied:
    objects = open_bucket(target, "TARGET")
    lake, catalog = open_lake()
    found = verify(lake, catalog, None, lambda _: None)
    if found.wrong:
        raise LakeError(
            f"{spell_count(len(found.wrong), 'file')} of {lake.root} are not what was written, such as {found.wrong[0].path}, so nothing "
            "was copied. mlpipe verify names them, and what to do."
        )
    return LakeMove(root=lake.root, objects=objects, where=target.rstrip("/")).into_bucket()


def _spell(copied: Copied, target: str) -> str:
    return (
        f"{plain(target)} holds {spell_count(copied.files, 'file')} of the lake ({copied.size / 1e6:,.1f} MB) and "
        f"{spell_count(copied.deliveries, 'delivery', 'deliveries')} ({copied.delivered_size / 1e6:,.1f} MB), each held to its digest; "
        f"{copied.sent / 1e6:,.1f} MB of it were sent now."
    )
