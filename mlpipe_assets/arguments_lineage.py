"""The commands of `mlpipe` that say where something came from, and what came of it."""

import argparse
from collections.abc import Callable

_QUESTIONS = """questions:
  artifacts             everything of a --type or a --table, --where properties are so
  back WHAT             everything that it came from
  came-of WHAT          everything that came of it
  neighbours WHAT       what it was made of, and what was made of it, one step away
  context KIND NAME     the graph of a run, a model or a tag
  compare A B           two versions of a model, runs or partitions: what differs
  has-run TABLE@DAY     whether it was made before of just what it would be made of now
  export                all of it as OpenLineage events, a line each (--openlineage FILE), as a
                        database of ML Metadata (--mlmd FILE), or as the lines of the
                        metadata log (--jsonl FILE)

WHAT is a file by its name, TABLE@DAY, or MODEL@VERSION. examples:
  mlpipe lineage artifacts --type ModelVersion
  mlpipe lineage back features/customer_features@2026-04-30
  mlpipe lineage compare interim/orders@2026-04-29 interim/orders@2026-04-30"""


def add_lineage(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Callable[..., argparse.ArgumentParser]
) -> None:
    """Add `blame` and `lineage`.

    Args:
        commands: Where to.
        command: Makes one, with what every command takes.
    """
    blame = command(
        commands,
        "blame",
        ("lineage", "blame"),
        "print what came of a bad file or partition: what to build again, train again, withdraw",
        "  mlpipe blame orders_2026-01-05.csv\n  mlpipe blame interim/orders@2026-01-05 --svg blame.svg",
    )
    blame.add_argument(
        "what",
        metavar="WHAT",
        help="a file of the drop zone, TABLE@DAY or MODEL@VERSION; # and the beginning of a digest behind it take one content",
    )
    blame.add_argument("--svg", metavar="FILE", help="draw it as a picture, too")
    blame.add_argument("--json", action="store_true", help="print everything as one JSON object")
    lineage = command(
        commands,
        "lineage",
        ("lineage", "lineage"),
        "answer where something came from and what came of it, by what runs have recorded",
        "",
    )
    lineage.epilog = _QUESTIONS
    lineage.add_argument(
        "question",
        choices=("artifacts", "back", "came-of", "neighbours", "context", "compare", "has-run", "export"),
        metavar="QUESTION",
        help="see below",
    )
    lineage.add_argument("names", nargs="*", metavar="WHAT", help="what it is about")
    lineage.add_argument("--type", default="", metavar="TYPE", help="artifacts of this type, such as ModelVersion")
    lineage.add_argument("--table", default="", metavar="TABLE", help="artifacts of this table, such as interim/orders")
    lineage.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="artifacts with this property; several must all hold",
    )
    lineage.add_argument("--openlineage", default="", metavar="FILE", help="of export: where to")
    lineage.add_argument("--mlmd", default="", metavar="FILE", help="of export: where to, as ML Metadata")
    lineage.add_argument("--jsonl", default="", metavar="FILE", help="of export: where to, as lines of JSON")
    lineage.add_argument("--json", action="store_true", help="print the answer as one JSON object")
