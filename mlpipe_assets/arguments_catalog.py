"""The command of `mlpipe` for those who look for data."""

import argparse
from collections.abc import Callable


def add_catalog(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add `catalog` with what it does: `search`, `show`, `site` and `export`.

    Args:
        commands: Where to.
        command: Makes one, with what every command takes.
    """
    catalog = command(
        commands,
        "catalog",
        ("catalog", "catalog"),
        "find a table, show what is known of it, write a site of all, or hand the catalog to other tools",
        "  mlpipe catalog search revenue\n  mlpipe catalog show feats.customer_features\n"
        "  mlpipe catalog site --out site\n  mlpipe catalog export --format odcs --out contracts",
    )
    catalog.add_argument("action", choices=("search", "show", "site", "export"), help="what to do")
    catalog.add_argument("words", nargs="*", metavar="WORD", help="of search: what to look for; of show: a table")
    catalog.add_argument(
        "--out", metavar="DIR", help="of site and export: the folder to write (catalog_site; catalog_FORMAT)"
    )
    catalog.add_argument(
        "--format",
        choices=("odcs", "datahub", "glue", "croissant"),
        help="of export: data contracts (ODCS), DataHub, AWS Glue, or Croissant for training sets",
    )
    catalog.add_argument("--json", action="store_true", help="print what was found, or written, as JSON")
