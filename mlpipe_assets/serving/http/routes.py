"""The paths of the server, each with its methods: as requests are counted, and what one to no such path is told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mlpipe_assets.serving.answers import BadRequestError

OTHER = "other"


@dataclass(frozen=True)
class Routes:
    """Methods by path; a path may end with a name, as `/predict/{model}`."""

    methods: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, routes: Iterable[object]) -> "Routes":
        """Those of an application."""
        return cls({r.path: frozenset(r.methods or ()) for r in routes if hasattr(r, "path") and hasattr(r, "methods")})

    def label(self, path: str) -> str:
        """A path as it is counted: a model's name, or whatever somebody tried, must not be a label each."""
        if path in self.methods:
            return path
        first, _, name = path.strip("/").partition("/")
        if not name:
            return OTHER
        return next((route for route in self.methods if route.startswith(f"/{first}/{{")), OTHER)

    def expect(self, method: str, path: str) -> None:
        """Make sure that a path takes a method.

        Raises: BadRequestError with 404 for a path that there is not, with 405 for another method.
        """
        allowed = self.methods.get(self.label(path))
        if allowed is None:
            there = ", ".join(f"{'/'.join(sorted(found))} {route}" for route, found in self.methods.items())
            raise BadRequestError(f"There is nothing at this path. There are {there}.", status=404)
        if method not in allowed:
            takes = sorted(allowed)
            told = f"This path takes {' or '.join(takes)}, and not {method[:20]}."
            raise BadRequestError(told, status=405, allow=", ".join(takes))
