"""The `mlpipe` command: reads the call, imports the one module that answers it, and turns errors into exit codes."""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from mlpipe_assets.arguments import make_parser
from mlpipe_assets.commands.calling import command
from mlpipe_assets.errors import BusyError, MissingPartitionError, MlpipeError, SettingsError, SqlError
from mlpipe_assets.streams import OutputError, robust_streams
from mlpipe_assets.visible import visible_lines

_DATA, _USAGE, _BUSY, _STOPPED = 1, 2, 75, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns: 0 when all is well, 1 when data needs a person, 2 when the call or the set-up is wrong, 75 when another is at work.
    """
    try:
        with robust_streams():
            return _answer(arguments)
    except OutputError as error:
        _say(f"error: {error}")
        return _DATA


def _answer(arguments: Sequence[str] | None) -> int:
    options = make_parser().parse_args(arguments)
    try:
        return _run(options)
    except (SettingsError, SqlError, MissingPartitionError) as error:
        _say(f"error: {error}")
        return _USAGE
    except BusyError as error:
        _say(f"busy: {error}")
        return _BUSY
    except MlpipeError as error:
        _say(f"error: {error}")
        return _DATA
    except KeyboardInterrupt:
        _say("stopped; nothing is half written, the next `mlpipe run` goes on from here")
        return _STOPPED


def _run(options: argparse.Namespace) -> int:
    module, name = options.command
    command = getattr(importlib.import_module(f"mlpipe_assets.commands.{module}"), name)
    with ExitStack() as ending:
        if uses := sys.modules.get("mlpipe_assets.store.copies.use"):  # a command that opens no lake has none
            ending.callback(uses.end_all)
        return int(command(options))


def _say(message: str) -> None:
    """A message to the error stream; its first word in red where somebody sees it."""
    text = visible_lines(message)
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR") and text.startswith("error:"):
        text = text.replace("error:", "\x1b[1;31merror:\x1b[0m", 1)
    if re.search(r"\bmlpipe [a-z]", text) and (here := command()) != "mlpipe":
        text = f"{text}\n(Here mlpipe is {here})"
    print(text, file=sys.stderr, flush=True)  # noqa: T201 (rich takes as long to import as the rest of a short command)


if __name__ == "__main__":
    sys.exit(main())
