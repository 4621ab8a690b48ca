"""How a server of object storage is spoken to: by whom, how long it is waited for, and how often it is asked again."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from obstore.store import AzureStore, GCSStore, S3Store

from mlpipe_assets.store.bucket.address import BucketAddress
from mlpipe_assets.store.bucket.errors import explaining

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig  # for type checkers only

Client: TypeAlias = S3Store | GCSStore | AzureStore

_CONNECT = 5.0  # seconds
_BODY = 10  # times as long as for a sign of the server for a whole answer: what is large comes over a slow line too
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds


class Patience(NamedTuple):
    """How long a request may take: each try up to `seconds` without a sign of the server, and `retries` more of them."""

    seconds: float = 30.0
    retries: int = 4


PATIENT = Patience()


def open_client(address: BucketAddress, patience: Patience) -> Client:
    """The client of a bucket; no request is sent yet.

    Raises: StoreError for credentials that are none.
    """
    tries = patience.retries + 1
    limits: ClientConfig = {
        "allow_http": address.plain,
        "allow_invalid_certificates": False,
        "connect_timeout": timedelta(seconds=min(_CONNECT, patience.seconds)),
        "read_timeout": timedelta(seconds=patience.seconds),
        "timeout": timedelta(seconds=patience.seconds * _BODY),
    }
    again: RetryConfig = {
        "max_retries": patience.retries,
        "backoff": {
            "init_backoff": timedelta(seconds=_FIRST_PAUSE),
            "max_backoff": timedelta(seconds=_LONGEST_PAUSE),
            "base": 2,
        },
        "retry_timeout": timedelta(seconds=patience.seconds * tries),
    }
    kinds: dict[str, Callable[..., Client]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    with explaining(f"{address}"):
        return kinds[address.scheme](
            address.bucket,
            prefix=address.prefix or None,
            config=dict(address.options),
            client_options=limits,
            retry_config=again,
        )
