"""Files that every new project, or one of an example, begins with."""

from pathlib import Path

TEMPLATES = Path(__file__).parent
