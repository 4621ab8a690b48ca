"""The name of a new project's package, made of the name of its folder."""

import keyword
import re
import sys
import unicodedata
from importlib.util import find_spec

from mlpipe_assets.errors import SettingsError

_TAKEN = ("data", "tests", "sql")  # folders of the project, or as good as
_ADVICE = "Name the package yourself: --name my_project."
_LONGEST = 60


def package_name(name: str) -> str:
    """A Python package's name: `My Shop` is my_shop.

    Raises: SettingsError when none can be made of it, or another package would be hidden.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    lost = [
        letter
        for letter in unicodedata.normalize("NFKC", name)
        if letter.isalpha() and not unicodedata.normalize("NFKD", letter)[0].isascii()
    ]
    made = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    if lost or not made.isidentifier() or keyword.iskeyword(made) or len(made) > _LONGEST:
        why = (
            f"{made!r} is no name of a Python package"
            if made and not lost
            else "a package's name has ASCII letters and digits"
        )
        raise SettingsError(f"No package can be named after {name!r}: {why}. {_ADVICE}")
    if made in _TAKEN or made in sys.stdlib_module_names or _is_installed(made):
        raise SettingsError(
            f"The package would be called {made!r}, and that name is taken in Python or in the project. {_ADVICE}"
        )
    return made


def _is_installed(name: str) -> bool:
    spec = find_spec(name)
    return (spec is not None and spec.origin is not None and "site-packages" in spec.origin) or name == "mlpipe_assets"
