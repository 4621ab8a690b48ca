"""Which bucket is meant, and with whose credentials; what is never said, and whom nobody asks."""

from pathlib import Path

import pytest

from mlpipe_assets.errors import SettingsError
from mlpipe_assets.store.bucket.address import is_address, read_address
from mlpipe_assets.store.bucket.client import Patience
from mlpipe_assets.store.bucket.objects import BucketObjects
from mlpipe_assets.store.objects import StoreError
from mlpipe_assets_tests.fault_proxy import fault_proxy
from mlpipe_assets_tests.servers import free_port

KEYS = {"AWS_ACCESS_KEY_ID": "canary-id", "AWS_SECRET_ACCESS_KEY": "canary-secret"}
AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "shop", "AZURE_STORAGE_ACCOUNT_KEY": "Y2FuYXJ5"}


def test_an_address_names_bucket_and_prefix_and_shows_no_credentials() -> None:
    found = read_address(
        "s3://lake/shop/orders/", {**KEYS, "AWS_REGION": "eu-west-1", "AWS_SESSION_TOKEN": "canary-token"}
    )

    assert (found.scheme, found.bucket, found.prefix, found.plain) == ("s3", "lake", "shop/orders", False)
    assert {"region": "eu-west-1", "session_token": "canary-token"}.items() <= found.options.items()
    assert f"{found}" == "s3://lake/shop/orders"
    assert f"{read_address('s3://lake', KEYS)}" == "s3://lake"
    assert "canary" not in repr(found)


def test_a_local_folder_is_no_address() -> None:
    assert [
        text for text in ("s3://a", "S3://a", "gs://a", "az://a", "/s3", "s3:/a", "s3", "C://a") if is_address(text)
    ] == [
        "s3://a",
        "S3://a",
        "gs://a",
        "az://a",
    ]


@pytest.mark.parametrize(
    ("address", "environ", "words"),
    [
        ("s3://canary-id:canary-secret@lake/shop", KEYS, "has user and password in its address"),
        ("s3://lake/sh@op", KEYS, "has user and password in its address"),
        ("s3://lake/shop?canary-secret", KEYS, "is no address of a bucket"),
        ("s3:///shop", KEYS, "is no address of a bucket"),
        ("s3://La_Ke$", KEYS, "is no address of a bucket"),
        ("ftp://lake", KEYS, "is no address of a bucket"),
        ("s3://lake/a//b", KEYS, "has a prefix that cannot be used"),
        ("s3://lake/../b", KEYS, "has a prefix that cannot be used"),
        ("s3://lake", {}, "there are no credentials for it. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://lake", {"AWS_ACCESS_KEY_ID": "canary-id"}, "there are no credentials for it"),
        ("gs://lake", KEYS, "Set GOOGLE_APPLICATION_CREDENTIALS or "),
        ("az://lake", {"AZURE_STORAGE_ACCOUNT_KEY": "canary"}, "Set AZURE_STORAGE_ACCOUNT_NAME, and "),
        ("s3://lake", {"MLPIPE_OBJECT_CREDENTIALS": "yes"}, "Write chain to ask the machine for credentials"),
        (
            "s3://lake",
            {**KEYS, "AWS_ENDPOINT_URL": "https://canary-id:canary-secret@host"},
            "AWS_ENDPOINT_URL is not an address",
        ),
        ("s3://lake", {**KEYS, "AWS_ENDPOINT_URL": "host:80"}, "Write it as https://HOST:PORT"),
    ],
)
def test_what_cannot_be_used_is_refused_without_showing_it(address: str, environ: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as raised:
        read_address(address, environ)

    assert "canary" not in f"{raised.value}"


def test_each_kind_of_storage_makes_a_store_without_asking_anybody(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(
        '{"gcs_base_url": "http://127.0.0.1:1", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}'
    )

    stores = [
        BucketObjects(address=read_address("s3://lake/p", KEYS)),
        BucketObjects(address=read_address("gs://lake/p", {"GOOGLE_SERVICE_ACCOUNT": f"{key}"})),
        BucketObjects(address=read_address("az://lake/p", AZURE)),
    ]

    assert [store.locate("a") for store in stores] == ["s3://lake/p/a", "gs://lake/p/a", "az://lake/p/a"]
    assert "canary" not in repr(stores)


def test_only_who_says_so_asks_the_machine_for_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = f"http://127.0.0.1:{free_port()}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    with fault_proxy(free_port()) as machine:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", machine.endpoint)  # else it would be 169.254.169.254
        for environ in (KEYS, {"MLPIPE_OBJECT_CREDENTIALS": "chain"}):
            address = read_address("s3://lake", {**environ, "AWS_ENDPOINT_URL": closed})
            with pytest.raises(StoreError):
                BucketObjects(address=address, patience=Patience(seconds=0.5, retries=0)).get("a")
            asked = machine.count()
            assert bool(asked) == ("MLPIPE_OBJECT_CREDENTIALS" in environ)
