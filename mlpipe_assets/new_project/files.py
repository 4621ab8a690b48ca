"""What a new project holds: templates, and for the shop the built-in example's own files."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import mlpipe_assets
from mlpipe_assets.catalog.places import sql_beside
from mlpipe_assets.new_project.templates import TEMPLATES

EXAMPLES = ("shop", "empty")
_SUFFIX = ".template"
_OURS = Path(mlpipe_assets.__file__).parent
# Modules of the built-in example that a project takes over as they are, but for the names of one another.
_OF_EXAMPLE = {
    "shop": (
        *("catalog.sources", "catalog.entities", "catalog.feature_views", "catalog.models", "catalog.monitors"),
        *("catalog.contents", "contracts.choices", "contracts.orders", "contracts.customers"),
        *("contracts.customer_features", "contracts.repeat_purchase", "contracts.repeat_purchase_predictions"),
        *("contracts.spend_28d", "contracts.spend_28d_predictions"),
        *("contracts.channel_features", "contracts.next_channel", "contracts.next_channel_predictions"),
    ),
    "empty": ("catalog.contents",),
}


def project_files(package: str, example: str) -> dict[str, bytes]:
    """The path and the content of every file of a new project, the sample aside.

    Args:
        package: The name of its Python package.
        example: One of EXAMPLES.
    """
    words = {"package": package, "name": package.replace("_", "-"), "version": version("mlpipe_assets")}
    found = {path: _filled(text, words) for folder in ("every", example) for path, text in _templates(folder)}
    for module in _OF_EXAMPLE[example]:
        path = f"{module.replace('.', '/')}.py"
        found[f"{package}/{path}"] = _renamed((_OURS / path).read_text(encoding="utf-8"), package)
    if example == "shop":
        sql = sql_beside(Path(mlpipe_assets.__file__))
        found |= {f"{package}/sql/{file.relative_to(sql)}": file.read_text("utf-8") for file in sql.rglob("*.sql")}
    return {path.replace("PACKAGE", package): text.encode() for path, text in sorted(found.items())}


def _templates(folder: str) -> Iterator[tuple[str, str]]:
    for file in (TEMPLATES / folder).rglob(f"*{_SUFFIX}"):
        yield str(file.relative_to(TEMPLATES / folder)).removesuffix(_SUFFIX), file.read_text(encoding="utf-8")


def _filled(text: str, words: dict[str, str]) -> str:
    """A template with its `{{words}}` put in."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text)


def _renamed(text: str, package: str) -> str:
    """A module of ours as one of a project, with its imports in the order that a project's linter wants."""
    modules = "|".join(map(re.escape, _OF_EXAMPLE["shop"]))
    own = re.sub(rf"^from mlpipe_assets\.({modules}) import", rf"from {package}.\1 import", text, flags=re.MULTILINE)
    parted = "\n\n".join(_parted(block, f"from {package}.") for block in own.split("\n\n"))
    return re.sub(r"^(import p.*)\n\n(?=from mlpipe_assets\.)", r"\1\n", parted, flags=re.MULTILINE)


def _parted(block: str, own: str) -> str:
    """A block of imports with those of the project itself in a block of their own."""
    lines = block.split("\n")
    ours = [line for line in lines if line.startswith(own)]
    others = [line for line in lines if not line.startswith(own)]
    return "\n\n".join("\n".join(part) for part in (others, ours) if part) if ours else block
