"""Where the online store is, by MLPIPE_ONLINE_URL."""

from importlib import import_module
from urllib.parse import urlsplit

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.serving.snapshots.online_store import OnlineStore
from mlpipe_assets.serving.snapshots.sqlite_store import SqliteStore
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
        found = import_module(f"{__package__}.{module}")
    except ImportError as error:
        if (error.name or "").startswith("mlpipe_assets"):  # a fault of ours, not of what is installed
            raise
        raise SettingsError(
            f"MLPIPE_ONLINE_URL is of {scheme}, and its client is not installed. Next: pip install '{package}'"
        ) from error
    made: OnlineStore = getattr(found, name)(address)
    return made
