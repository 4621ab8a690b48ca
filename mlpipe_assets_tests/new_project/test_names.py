"""The package of a new project is named after its folder, or refused."""

import re

import pytest

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.new_project.names import package_name


@pytest.mark.parametrize(
    ("folder", "package"),
    [
        *[("shop", "shop"), ("My Shop", "my_shop"), ("my-shop.v2", "my_shop_v2"), ("_shop_", "shop"), ("Café", "cafe")],
        *[("a", "a"), ("SHOP", "shop"), ("x" * 60, "x" * 60)],
    ],
)
def test_a_package_is_named_after_its_folder(folder: str, package: str) -> None:
    assert package_name(folder) == package


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("2026", "'2026' is no name of a Python package"),
        ("class", "'class' is no name of a Python package"),
        ("", "a package's name has ASCII letters and digits"),
        ("..", "a package's name has ASCII letters and digits"),
        ("店", "a package's name has ASCII letters and digits"),
        ("shop店", "a package's name has ASCII letters and digits"),
        ("x" * 61, "is no name of a Python package"),
        *[
            (name, "that name is taken")
            for name in ("json", "polars", "Dagster", "mlpipe-assets", "tests", "data", "sql")
        ],
    ],
)
def test_a_name_that_is_none_or_taken_is_refused_with_the_way_out(folder: str, why: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(why)) as raised:
        package_name(folder)

    assert "--name my_project" in str(raised.value)
