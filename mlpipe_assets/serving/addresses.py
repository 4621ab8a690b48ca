"""Where the online store is, by MLPIPE_ONLINE_URL; what of an address, or of an error, may be shown."""

from importlib import import_module
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.serving.online_store import OnlineStore
from mlpipe_assets.serving.sqlite_store import SqliteStore
from mlpipe_assets.store.lake import Lake

_REMOTE = {
    **dict.fromkeys(("redis", "rediss", "unix"), ("redis_store", "RedisStore", "mlpipe-assets[redis]")),
    **dict.fromkeys(("postgres", "postgresql"), ("postgres_store", "PostgresStore", "psycopg2-binary")),
}


def open_store(lake: Lake, address: str) -> OnlineStore:
    """The store that an address names: one file a snapshot in the data folder where it is empty.

    Raises: SettingsError for an address that no store knows, or whose client is not installed.
    """
    if not address:
        return SqliteStore(lake=lake)
    scheme = urlsplit(address).scheme
    if scheme not in _REMOTE:
        raise SettingsError(
            "MLPIPE_ONLINE_URL names no online store we know. Write it as redis://HOST:6379/0 or postgresql://HOST/DATABASE, "
            "or unset it to publish into the data folder."
        )
    module, name, package = _REMOTE[scheme]
    try:
        made: OnlineStore = getattr(import_module(f"mlpipe_assets.serving.{module}"), name)(address)
    except ImportError as error:
        raise SettingsError(
            f"MLPIPE_ONLINE_URL is of {scheme}, and its client is not installed. Next: pip install '{package}'"
        ) from error
    return made


def without_secrets(address: str) -> str:
    """An address as it may be shown: no user, no password, no options."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{_host(parts)}{parts.path}"


def take_option(address: str, name: str, default: str) -> tuple[str, str]:
    """One of our own options of an address, and the address without it, as its client takes it."""
    parts = urlsplit(address)
    options = dict(parse_qsl(parts.query))
    value = options.pop(name, default)
    return value, parts._replace(query=urlencode(options)).geturl()


def explain(error: BaseException, address: str) -> str:
    """Why a store does not answer, in one line that shows no user and no password."""
    line = (f"{error}".strip().splitlines() or [type(error).__name__])[0][:300]
    parts = urlsplit(address)
    secrets = [parts.password, parts.username, parts.netloc if "@" in parts.netloc else None]
    secrets += [value for name, value in parse_qsl(parts.query) if "pass" in name or "user" in name]
    for secret in filter(None, (form for one in secrets if one for form in (one, unquote(one)))):
        line = line.replace(secret, "***")
    return f"{without_secrets(address)} does not do what was asked ({line.rstrip('.')})"


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]
