"""How many different values a column holds, kept so that windows merge exactly.

The hash is ours and fixed, because sketches are stored: polars' may change between versions.
"""

import base64
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_KEPT = 512
_BITS = 48
_REGISTER_BITS = 10
_PRIME = np.uint64(0x100000001B3)
_AT_ONCE = 65_536
_WHOLE_IN_FLOATS = 2**53


@dataclass(frozen=True, kw_only=True)
class SmallestHashes:
    """The 512 smallest 48-bit hashes of the values: exact up to 511 values, within 4.4 % (one sigma) above.

    Source: Bar-Yossef et al., Counting distinct elements in a data stream (2002), "k minimum values".
    """

    hashes: tuple[int, ...] = ()

    @classmethod
    def of(cls, hashed: Hashes) -> Self:
        """The sketch of the hashes of different values."""
        small = hashed >> np.uint64(64 - _BITS)
        bound = (8 * _KEPT << _BITS) // max(len(small), 1)  # about eight times as many as are kept lie below it
        fewer = small[small < min(bound, 1 << _BITS)]
        small = fewer if len(fewer) > 2 * _KEPT else small  # the rest makes up for hashes that agree in their 48 bits
        return cls(hashes=tuple(np.unique(small)[:_KEPT].tolist()))

    def merge(self, *others: Self) -> Self:
        """The sketch of all the windows together."""
        every = [self.hashes, *(other.hashes for other in others)]
        bound = min((hashes[-1] for hashes in every if len(hashes) == _KEPT), default=1 << _BITS)
        together = {value for hashes in every for value in hashes[: bisect_right(hashes, bound)]}
        return type(self)(hashes=tuple(sorted(together)[:_KEPT]))

    def estimate(self) -> int:
        """How many different values there are."""
        if len(self.hashes) < _KEPT:
            return len(self.hashes)
        return round((_KEPT - 1) / self.hashes[-1] * float(1 << _BITS))

    def pack(self) -> str:
        """Six bytes a hash, in base64."""
        whole = np.array(self.hashes, dtype=">u8").tobytes()
        raw = np.frombuffer(whole, dtype=np.uint8).reshape(-1, 8)[:, 2:]
        return base64.b64encode(raw.tobytes()).decode("ascii")

    @classmethod
    def unpack(cls, text: str) -> Self:
        """The sketch that was packed."""
        raw = np.frombuffer(base64.b64decode(text), dtype=np.uint8).reshape(-1, 6)
        whole = np.concatenate([np.zeros((len(raw), 2), dtype=np.uint8), raw], axis=1)
        return cls(hashes=tuple(np.ascontiguousarray(whole).view(">u8").ravel().tolist()))


@dataclass(frozen=True, kw_only=True)
class LeadingZeros:
    """Most leading zeros seen among hashes, in 1,024 registers: within 3.3 %, and no hash of a value can be read from it.

    For personal columns, whose hashes could be tried against a list of known values.
    Source: Flajolet et al., HyperLogLog (2007).
    """

    registers: bytes = bytes(1 << _REGISTER_BITS)

    @classmethod
    def of(cls, hashed: Hashes) -> Self:
        """The sketch of hashes of values, repeated or not."""
        registers = np.zeros(1 << _REGISTER_BITS, dtype=np.uint8)
        rest = (hashed << np.uint64(_REGISTER_BITS)) >> np.uint64(64 - 52)  # 52 bits: exact as a float
        rank = (53 - np.frexp(rest.astype(np.float64))[1]).astype(np.uint8)
        np.maximum.at(registers, hashed >> np.uint64(64 - _REGISTER_BITS), rank)
        return cls(registers=registers.tobytes())

    def merge(self, *others: Self) -> Self:
        """The sketch of all the windows together."""
        every = [self.registers, *(other.registers for other in others)]
        return type(self)(registers=bytes(map(max, *every)) if others else self.registers)

    def estimate(self) -> int:
        """About how many different values there are."""
        ranks = np.frombuffer(self.registers, dtype=np.uint8).astype(np.float64)
        size = len(ranks)
        raw = 0.7213 / (1 + 1.079 / size) * size**2 / np.sum(2.0**-ranks)
        empty = int(np.count_nonzero(ranks == 0))
        return round(size * np.log(size / empty) if raw <= 2.5 * size and empty else raw)

    def pack(self) -> str:
        """One byte a register, in base64."""
        return base64.b64encode(self.registers).decode("ascii")

    @classmethod
    def unpack(cls, text: str) -> Self:
        """The sketch that was packed."""
        return cls(registers=base64.b64decode(text))


Distinct = SmallestHashes | LeadingZeros


def hash_numbers(values: NDArray[Any]) -> Hashes:
    """64-bit hashes of numbers; an integer hashes as the float that equals it, where there is one, and -0.0 as 0.0."""
    floats = values.astype(np.float64) + 0.0
    if values.dtype.kind == "i" and len(values) and max(int(values.max()), -int(values.min())) > _WHOLE_IN_FLOATS:
        return _mix(np.where(np.abs(floats) > _WHOLE_IN_FLOATS, values, floats.view(np.int64)).view(np.uint64))
    return _mix(floats.view(np.uint64))


def hash_texts(texts: pl.Series) -> Hashes:
    """64-bit hashes of texts without nulls, by their UTF-8 bytes."""
    parts = [_hash_some(texts[at : at + _AT_ONCE]) for at in range(0, len(texts), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)


def _hash_some(texts: pl.Series) -> Hashes:
    lengths = texts.str.len_bytes().to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)
    body = np.frombuffer("".join(texts.to_list()).encode(), dtype=np.uint8)
    powers = np.full(int(lengths.max(initial=0)) + 1, _PRIME, dtype=np.uint64)
    powers[0] = 1
    powers = np.cumprod(powers, dtype=np.uint64)
    place = np.arange(len(body)) - np.repeat(ends - lengths, lengths)
    terms = (body.astype(np.uint64) + np.uint64(1)) * powers[place]
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)])
    return _mix(sums[ends] - sums[ends - lengths] + lengths.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _mix(values: Hashes) -> Hashes:
    """Finalizer of splitmix64 (Steele et al., 2014): every bit of the input moves every bit of the output."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    for at in range(0, len(mixed), _AT_ONCE):  # what fits a core's cache
        part = mixed[at : at + _AT_ONCE]
        part ^= part >> np.uint64(30)
        part *= np.uint64(0xBF58476D1CE4E5B9)
        part ^= part >> np.uint64(27)
        part *= np.uint64(0x94D049BB133111EB)
        part ^= part >> np.uint64(31)
    return mixed
