"""Where an alert comes from: several machines, environments and data folders may tell the same channel."""

import socket
from dataclasses import replace
from pathlib import Path

from mlpipe_assets.alerting.messages import Message
from mlpipe_assets.settings import Settings


def signed(message: Message, settings: Settings, root: Path) -> Message:
    """A message with the environment in its title, and host, data folder and the UI's address under its text."""
    known = f", environment {settings.environment}" if settings.environment else ""
    lines = [f"from: host {socket.gethostname()}{known}, data folder {root}"]
    lines += [f"open: {settings.ui_url}"] if settings.ui_url else []
    title = f"[{settings.environment}] {message.title}" if settings.environment else message.title
    return replace(message, title=title, body="\n".join([message.body, "", *lines]))
