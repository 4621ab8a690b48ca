"""What a killed run leaves of one table, by the places where it writes."""

from collections.abc import Iterator

from mlpipe_assets.store import keys

_HASH = "[0-9a-f]" * 64


def leftovers(stage: str, name: str) -> Iterator[str]:
    """Patterns of temporary files of one table, never of another, whose run may live."""
    if stage != keys.DROP_ZONE:  # what is in there is not ours
        yield f"{stage}/{name}/*/.*.tmp"
        yield f"{keys.contents(f'{stage}/{name}')}/.*.tmp"
    yield f"{keys.TABLES}/.{stage}*.{name}.json.*.tmp"
    yield f"{keys.DIGESTS}/.{stage}*.{name}.log.*.tmp"
    match stage:
        case "raw":
            yield f"{keys.EVENTS}/{name}/*/.*.tmp"
            yield f"{keys.deliveries(name)}/.*.tmp"
            yield _temporary(keys.seen_files(name))
            yield f"{keys.QUARANTINE}/{name}/*/.{_HASH}*.parquet.*.tmp"
        case "interim":
            yield f"{keys.QUARANTINE}/{name}/*/.refused.parquet.*.tmp"
        case "meta":
            yield f"{keys.META}/.{name}.*.tmp"
            yield _temporary(keys.automation(name.removeprefix("automation.")))
        case "monitoring":
            for folder in (f"monitoring/*/*.{name}", f"{keys.REALISED}/{name}"):
                yield f"{folder}/*/.*.tmp"
                yield f"{keys.contents(folder)}/.*.tmp"
            yield f"{keys.BASELINES}/.*{name}*.tmp"
            if name == "report":
                yield "monitoring/.*.tmp"
        case "online":
            yield f"{keys.ONLINE}/{name}/.*.tmp"
        case "models":
            yield _temporary(keys.champion(name))
            yield _temporary(keys.golden(name))


def _temporary(key: str) -> str:
    folder, _, file = key.rpartition("/")
    return f"{folder}/.{file}.*.tmp"
