"""Which bucket an address names, and with whose credentials: all of it said in words, nothing looked for in secret.

Credentials are those that the environment holds under the names that the tools of each provider use. Only where
MLPIPE_OBJECT_CREDENTIALS is `chain` is the machine itself asked for some, as a server in a cloud is: elsewhere that would
send a request to an address of the local network, which answers whoever has taken it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.store.objects import UnsupportedError, check_prefix

SCHEMES = ("s3", "gs", "az")
_CHAIN = "MLPIPE_OBJECT_CREDENTIALS"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_S3_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_GOOGLE = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY")
_AZURE_ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME"
_AZURE_KEYS = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN")


@dataclass(frozen=True, kw_only=True)
class BucketAddress:
    """A bucket, where in it, and how its server lets one in.

    Attributes:
        scheme: `s3`, `gs` or `az`; a bucket is called a container on the last.
        prefix: What stands before every key; may be empty.
        options: As obstore takes them.
        plain: Whether the server is asked over http, so that nothing on the way is hidden.
    """

    scheme: str
    bucket: str
    prefix: str
    options: Mapping[str, str] = field(repr=False)
    plain: bool = False

    def __str__(self) -> str:
        """The address as it may be shown."""
        return "/".join(filter(None, (f"{self.scheme}://{self.bucket}", self.prefix)))


def is_address(text: str) -> bool:
    """Whether a data folder is given as the address of a bucket."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


def read_address(
    text: str, environ: Mapping[str, str] | None = None, said_in: str = "MLPIPE_DATA_DIR"
) -> BucketAddress:
    """The bucket of `s3://BUCKET/PREFIX`, `gs://…` or `az://…`, with the credentials that the environment names.

    Raises: SettingsError for another form, for user and password in an address, and where there are no credentials.
    """
    env = os.environ if environ is None else environ
    parts = urlsplit(text)
    if "@" in text:  # object storage would not look at them, and look for others elsewhere
        raise SettingsError(
            f"{said_in} has user and password in its address. Take them out, change them where they were valid, and "
            "give credentials as variables of the environment: docs/object-storage.md names them."
        )
    prefix = parts.path.strip("/")
    if parts.scheme not in SCHEMES or parts.query or parts.fragment or not _BUCKET.fullmatch(parts.netloc):
        raise SettingsError(
            f"{said_in} is no address of a bucket. Write it as s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or "
            "az://CONTAINER/PREFIX, or give a local folder."
        )
    try:
        check_prefix(prefix)
    except UnsupportedError as error:
        raise SettingsError(f"{said_in} has a prefix that cannot be used: {error.reason}.") from error
    endpoint = _endpoint(parts.scheme, env)
    options = _options(parts.scheme, env, said_in) | ({"endpoint": endpoint} if endpoint else {})
    return BucketAddress(
        scheme=parts.scheme,
        bucket=parts.netloc,
        prefix=prefix,
        options=options,
        plain=endpoint.startswith("http://"),
    )


def _options(scheme: str, env: Mapping[str, str], said_in: str) -> dict[str, str]:
    chain = (env.get(_CHAIN) or "").strip()
    if chain not in ("", "chain"):
        raise SettingsError(
            f"{_CHAIN}={chain[:40]!r} is not known. Write chain to ask the machine for credentials, or unset it."
        )
    match scheme:
        case "s3":
            region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
            found = {"region": region, "conditional_put": "etag", "skip_signature": "false"}
            keys = dict(zip(("access_key_id", "secret_access_key"), map(env.get, _S3_KEYS), strict=True))
            token = env.get("AWS_SESSION_TOKEN")
            wanted = " and ".join(_S3_KEYS)
            complete = all(keys.values())
            keys |= {"session_token": token} if token else {}
        case "gs":
            found = {"skip_signature": "false"}
            keys = dict(
                zip(
                    ("application_credentials", "service_account", "service_account_key"),
                    map(env.get, _GOOGLE),
                    strict=True,
                )
            )
            wanted = " or ".join(_GOOGLE)
            complete = any(keys.values())
        case _:
            found = {"skip_signature": "false", "use_azure_cli": "false"}
            keys = dict(zip(("account_key", "sas_key"), map(env.get, _AZURE_KEYS), strict=True))
            wanted = f"{_AZURE_ACCOUNT}, and {' or '.join(_AZURE_KEYS)}"
            complete = bool(env.get(_AZURE_ACCOUNT)) and any(keys.values())
            keys["account_name"] = env.get(_AZURE_ACCOUNT)
    if not (complete or chain):
        raise SettingsError(
            f"{said_in} is in object storage ({scheme}://), and there are no credentials for it. Set {wanted}; or, on a "
            f"machine that hands out credentials of its own, {_CHAIN}=chain."
        )
    return found | {name: value for name, value in keys.items() if value}


def _endpoint(scheme: str, env: Mapping[str, str]) -> str:
    """The server, where it is not the provider's own.

    Raises: SettingsError for one with user and password in it.
    """
    names = _S3_ENDPOINTS if scheme == "s3" else ("AZURE_STORAGE_ENDPOINT",) if scheme == "az" else ()
    name = next((name for name in names if env.get(name)), "")
    endpoint = env.get(name, "").strip().rstrip("/")
    if endpoint and not re.fullmatch(r"https?://[^\s@?#]+", endpoint):  # it may hold a password
        raise SettingsError(
            f"{name} is not an address of a server. Write it as https://HOST:PORT, without user and password."
        )
    return endpoint
