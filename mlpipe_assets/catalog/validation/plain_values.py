"""Whether estimators, parameters and weights are declared as values that can be compared, repeated and put on record."""

from typing import TypeGuard


def wrong_estimator(value: object) -> str:
    """What is wrong with a declared estimator, before it is looked up; nothing where it may be one."""
    good = isinstance(value, str) or callable(value)
    return "" if good else "is neither the dotted name of a scikit-learn class nor a function that returns an estimator"


def wrong_values(value: object) -> str:
    """What is wrong with parameters by name; nothing where they are texts, numbers, flags, None, or tuples of them."""
    good = is_pairs(value) and all(_is_plain(held) for _, held in value)
    return "" if good else 'is not plain values by name: write {"n_estimators": 100}'


def wrong_weights(value: object) -> str:
    """What is wrong with weights of columns; nothing where they are pairs of a name and a number of 0 or more."""
    good = is_pairs(value) and all(isinstance(weight, int | float) and weight >= 0 for _, weight in value)
    return "" if good else 'is not pairs of column and weight: write (("amount", 2.0),)'


def is_pairs(value: object) -> TypeGuard[tuple[tuple[str, object], ...]]:
    """Whether a value is pairs of a name and something, as mappings are kept."""
    return isinstance(value, tuple) and all(map(_is_pair, value))


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)  # noqa: PLR2004 (a pair)


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)
