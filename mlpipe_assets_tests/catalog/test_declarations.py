"""Declarations: what a user can declare, the project honours."""

import ast
from dataclasses import fields
from pathlib import Path

import pytest

import mlpipe_assets
from mlpipe_assets.catalog import declarations, learners

PACKAGE = Path(mlpipe_assets.__file__).parent
DECLARED = [
    f"{declaration.__name__}.{declared.name}"
    for declaration in (
        declarations.Entity,
        declarations.Source,
        declarations.FeatureView,
        learners.Learner,
        learners.Promotion,
        declarations.Model,
        declarations.Monitor,
    )
    for declared in fields(declaration)
]


def attributes_read() -> set[str]:
    """Names read of an object anywhere; of the declarations themselves, in what they make of their fields."""
    trees: list[ast.AST] = []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.name != "declarations.py":
            trees.append(tree)
            continue
        made = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        trees += [
            node for node in made if any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)
        ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


@pytest.fixture(scope="module")
def read() -> set[str]:
    """What the package reads, looked up once."""
    return attributes_read()


@pytest.mark.parametrize("declared", DECLARED)
def test_a_declared_field_is_read_somewhere(declared: str, read: set[str]) -> None:
    assert declared.partition(".")[2] in read
