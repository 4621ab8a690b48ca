"""Pages of an HTTP API: each asked for with patience, and refused in words that show no secret and nothing of its content."""

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from mlpipe_assets.catalog.feeds import HttpApi
from mlpipe_assets.intake.spooled import NotGivenError

_MOST_PAGES = 100_000
_MOST_BYTES = 100_000_000  # of one page
TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two pieces of an answer
_OVERLOADED = (429, 500, 502, 503, 504)
PATIENCE = Retry(
    total=4,
    backoff_factor=0.5,
    status_forcelist=_OVERLOADED,
    allowed_methods=("GET",),
    raise_on_status=False,
    retry_after_max=60,
)


def read_pages(feed: HttpApi, since: str | int | None) -> Iterator[list[Any]]:
    """The records of each page.

    Args:
        feed: The API.
        since: The value from which on records are asked for, where it takes one.

    Raises: NotGivenError.
    """
    params: dict[str, Any] = {feed.since: since} if feed.since and since is not None else {}
    numbered = feed.page_parameter if feed.next_page is None else None
    address, seen = feed.url, set[tuple[str, str]]()
    with requests.Session() as session:
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=PATIENCE))
        session.headers.update({"Accept": "application/json", **_secret(feed)})
        for number in range(1, _MOST_PAGES + 1):
            asked = params | ({numbered: number} if numbered else {})
            if (address, f"{asked}") in seen:
                raise NotGivenError("it gives the same page again and again as the next one")
            seen.add((address, f"{asked}"))
            document, following = _get(session, feed, address, asked)
            records = _at(document, feed.records)
            if not isinstance(records, list):
                where = f"at {feed.records!r}" if feed.records else "as the answer"
                raise NotGivenError(f"there is no list of records {where}: name its place by records=")
            yield records
            if numbered:
                if not records:
                    return
                continue
            token = _at(document, feed.next_page) if feed.next_page else following
            if token in (None, "", False):
                return
            address, params = _next(feed, address, params, token)
    raise NotGivenError(f"it has more than {_MOST_PAGES:,} pages")


def _get(session: requests.Session, feed: HttpApi, address: str, params: dict[str, Any]) -> tuple[Any, str | None]:
    """What a page says, and the address of the next one by its header."""
    try:
        with session.get(address, params=params, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            status = answer.status_code
            if status in (401, 403):
                lacking = f"the secret in {feed.token}" if feed.token else "nothing, and may want token="
                raise NotGivenError(f"it refuses us ({status}); it was sent {lacking}")
            if 300 <= status < 400:  # noqa: PLR2004 (the statuses of HTTP)
                raise NotGivenError(
                    f"it answers with a redirect ({status}), which is not followed: name the address it leads to"
                )
            if status != 200:  # noqa: PLR2004 (as above)
                again = f", also when asked {PATIENCE.total} times more" if status in _OVERLOADED else ""
                raise NotGivenError(f"it answers {status}{again}")
            body = b"".join(_limited(answer))
            following = answer.links.get("next", {}).get("url")
    except requests.RequestException as error:
        raise NotGivenError(f"it does not answer ({type(error).__name__})") from None
    try:
        return json.loads(body, parse_float=Decimal), following
    except (ValueError, RecursionError):
        raise NotGivenError(f"its answer is no JSON, it begins with {body[:1]!r}") from None


def _limited(answer: requests.Response) -> Iterator[bytes]:
    size = 0
    for piece in answer.iter_content(1 << 16):
        size += len(piece)
        if size > _MOST_BYTES:
            raise NotGivenError(f"a page of it is longer than {_MOST_BYTES:,} bytes: ask for shorter ones")
        yield piece


def _next(feed: HttpApi, address: str, params: dict[str, Any], token: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 (JSON)
    """Where the next page is: an address of the same server, or the same one with another token."""
    text = f"{token}"
    if feed.page_parameter:
        return address, params | {feed.page_parameter: text}
    there = urljoin(address, text)
    if urlsplit(there)[:2] != urlsplit(feed.url)[:2]:
        raise NotGivenError(
            "its next page is at another server, which must not be sent our secret; or it is a token: name page_parameter"
        )
    return there, {}


def _secret(feed: HttpApi) -> dict[str, str]:
    if feed.token is None:
        return {}
    value = os.environ.get(feed.token, "").strip()
    if not value or not value.isprintable():
        raise NotGivenError(f"the variable {feed.token} is not set: it holds the secret that the API asks for")
    return {feed.token_header: f"Bearer {value}" if feed.token_header.lower() == "authorization" else value}


def _at(document: Any, path: str | None) -> Any:  # noqa: ANN401 (JSON)
    for name in path.split(".") if path else ():
        document = document.get(name) if isinstance(document, dict) else None
    return document
