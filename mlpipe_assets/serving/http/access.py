"""Who may ask the server: keys with scopes, of which only a salted hash is kept, in a file that its owner alone reads."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlpipe_assets.errors import MlpipeError, SettingsError
from mlpipe_assets.store import keys
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.records import Record

ALL = "*"
_TOKEN = re.compile(r"mlp_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_CURE = "Restore it from a copy, or delete it and make every key again with `mlpipe serve-key add`."


class DeniedError(MlpipeError):
    """A request without a key that counts, or beyond its scope: `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class ServeKey:
    """One key.

    Attributes:
        id: What a token begins with; no secret.
        views: Feature views it may ask, `*` for all.
        models: Models it may ask, `*` for all.
        sources: Sources it may push rows to, `*` for all; none unless it was made so.
        salt: Hashed before the secret, so that nobody can look hashes up.
        hash: SHA-256 of salt and secret. A secret is 32 random bytes, so nothing slower is needed.
    """

    id: str
    name: str
    views: tuple[str, ...]
    models: tuple[str, ...]
    created_at: str
    salt: str
    hash: str
    sources: tuple[str, ...] = ()

    def expect_view(self, name: str) -> None:
        """Make sure that it may ask a view. Raises: DeniedError."""
        _expect("view", name, self.views)

    def expect_model(self, name: str) -> None:
        """Make sure that it may ask a model. Raises: DeniedError."""
        _expect("model", name, self.models)

    def expect_source(self, name: str) -> None:
        """Make sure that it may push rows to a source. Raises: DeniedError."""
        if ALL not in self.sources and name not in self.sources:
            raise DeniedError(f"This key may not push rows to {name}.", status=403)


ANYBODY = ServeKey(
    id="", name="", views=(ALL,), models=(ALL,), created_at="", salt="", hash="", sources=(ALL,)
)  # where there are no keys


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """The keys of a lake as they were read.

    Attributes:
        tag: The version of their file; None without one.
    """

    tag: str | None = None
    by_id: Mapping[str, ServeKey] = field(default_factory=dict)

    def find(self, header: str | None) -> ServeKey:
        """The key of an `Authorization` header.

        Raises: DeniedError, in the same words for a key that is unknown and for one whose secret is wrong.
        """
        if not self.by_id:
            return ANYBODY
        if not header:
            raise DeniedError("This needs a key: send it as `Authorization: Bearer mlp_...`.", status=401)
        scheme, _, token = header.partition(" ")
        found = _TOKEN.fullmatch(token.strip()) if scheme.lower() == "bearer" else None
        key = self.by_id.get(found[1]) if found else None
        if found is None or key is None or not hmac.compare_digest(_hash(key.salt, found[2]), key.hash):
            raise DeniedError("This key does not count: it is mistyped, or was taken back.", status=401)
        return key


@dataclass(frozen=True, kw_only=True)
class KeyBook:
    """Where the keys of a lake are kept."""

    lake: Lake

    def read(self) -> KeyRing:
        """The keys there are. Raises: LakeError when they cannot be read: nobody is let in then."""
        head = self.lake.objects.head(keys.SERVE_KEYS)
        return KeyRing(tag=head.tag if head else None, by_id=self._record.read() or {})

    def add(self, name: str, views: Sequence[str], models: Sequence[str], sources: Sequence[str] = ()) -> str:
        """Make a key, and give its token: it is shown once and kept nowhere.

        Raises: SettingsError for a name that is taken or cannot be one.
        """
        if not _NAME.fullmatch(name):
            raise SettingsError(
                f"{name[:60]!r} cannot name a key. Write letters, digits, dots and dashes, such as checkout."
            )
        secret, salt, number = secrets.token_urlsafe(32), secrets.token_hex(16), secrets.token_hex(4)
        made = ServeKey(
            id=number,
            name=name,
            views=tuple(views),
            models=tuple(models),
            sources=tuple(sources),
            created_at=f"{datetime.now(tz=UTC):%Y-%m-%dT%H:%M:%SZ}",
            salt=salt,
            hash=_hash(salt, secret),
        )

        def change(found: Mapping[str, ServeKey] | None) -> object:
            if any(one.name == name for one in (found or {}).values()):
                raise SettingsError(
                    f"There is a key {name!r} already. Take it back first: mlpipe serve-key remove {name}"
                )
            return _spell({**(found or {}), number: made})

        self._record.change(change)
        self._close()
        return f"mlp_{number}_{secret}"

    def remove(self, name: str) -> None:
        """Take a key back; a running server refuses it within a second. Raises: SettingsError when there is none of that name."""

        def change(found: Mapping[str, ServeKey] | None) -> object:
            left = {number: one for number, one in (found or {}).items() if one.name != name}
            if len(left) == len(found or {}):
                there = ", ".join(sorted(one.name for one in (found or {}).values())) or "none"
                raise SettingsError(f"There is no key {name!r}; there are {there}.")
            return _spell(left)

        self._record.change(change)
        self._close()

    @property
    def _record(self) -> Record[Mapping[str, ServeKey]]:
        return Record(objects=self.lake.objects, key=keys.SERVE_KEYS, parse=_parse, cure=_CURE)

    def _close(self) -> None:
        """Let nobody but the owner read them, whatever MLPIPE_FILE_MODE says of the lake."""
        (self.lake.root / keys.SERVE_KEYS).chmod(0o600)


def _expect(kind: str, name: str, allowed: Sequence[str]) -> None:
    if ALL not in allowed and name not in allowed:
        raise DeniedError(f"This key may not ask the {kind} {name}.", status=403)


def _hash(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}{secret}".encode()).hexdigest()


def _spell(found: Mapping[str, ServeKey]) -> dict[str, Any]:
    return {"keys": [asdict(one) for one in found.values()]}


def _parse(document: Any) -> Mapping[str, ServeKey]:  # noqa: ANN401 (any JSON)
    scopes = ("views", "models", "sources")
    made = [ServeKey(**{**one, **{name: tuple(one.get(name, ())) for name in scopes}}) for one in document["keys"]]
    return {one.id: one for one in made}
