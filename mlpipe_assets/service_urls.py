"""The address of a service: our own options in it, and what of it, or of an error, may be shown."""

import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit


def without_secrets(address: str) -> str:
    """An address as it may be shown: no user, no password, no options."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def take_option(address: str, name: str, default: str) -> tuple[str, str]:
    """One of our own options of an address, and the address without it, as its client takes it."""
    parts = urlsplit(address)
    options = dict(parse_qsl(parts.query))
    value = options.pop(name, default)
    return value, parts._replace(query=urlencode(options)).geturl()


def explain(error: BaseException, address: str) -> str:
    """Why a service does not answer, in one line that shows no user and no password."""
    line = (f"{error}".strip().splitlines() or [type(error).__name__])[0][:300]
    parts = urlsplit(address)
    secrets = [parts.password, parts.username, parts.netloc if "@" in parts.netloc else None]
    secrets += [value for name, value in parse_qsl(parts.query) if "pass" in name or "user" in name]
    for secret in sorted({form for one in secrets if one for form in (one, unquote(one))}, key=len, reverse=True):
        line = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", line)  # a user called u is in no other word
    return f"{without_secrets(address)} does not do what was asked ({line.rstrip('.')})"
