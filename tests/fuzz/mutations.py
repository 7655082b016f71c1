"""What may become of a file: bits flipped, parts lost, doubled or put in; and cards of FITS headers changed."""

from __future__ import annotations

import random
from collections.abc import Callable

CARD = 80
HEAD = 8640
"""Bytes in which the headers of a small FITS file lie, and the structures of HDF5."""


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with some bits flipped."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 2, 8, 64])):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def beheaded(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with some of the first replaced, by other characters or by single bits."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(min(HEAD, len(out)))
        out[at] = rng.choice([out[at] ^ (1 << rng.randrange(8)), rng.randrange(32, 127)])
    return bytes(out)


def cut(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes up to some place."""
    return data[: rng.randrange(len(data))]


def with_noise(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with some that mean nothing put in, or put after them."""
    noise = rng.randbytes(rng.randrange(1, 4000))
    at = rng.choice([len(data), rng.randrange(len(data))])
    return data[:at] + noise + data[at:]


def with_zeros(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a block of zeros in them, as a disk leaves it."""
    at = rng.randrange(len(data))
    size = min(4096, len(data) - at)
    return data[:at] + bytes(size) + data[at + size :]


def doubled(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a part of them twice."""
    at = rng.randrange(len(data))
    part = data[at : at + rng.randrange(1, 5000)]
    return data[:at] + part + data[at:]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flipped,
    beheaded,
    beheaded,
    cut,
    with_noise,
    with_zeros,
    doubled,
)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes after one mutation, chosen at random."""
    return rng.choice(MUTATIONS)(data, rng)


def with_card(data: bytes, name: str, value: object, which: int = 1) -> bytes:
    """Return a FITS file with another value in the which-th card of a name."""
    at = -1
    for _ in range(which):
        at = data.index(f"{name:<8}=".encode(), at + 1)
    said = f"'{value}'" if isinstance(value, str) else f"{value:>20}"
    return data[:at] + f"{name:<8}= {said:<20}".ljust(CARD)[:CARD].encode() + data[at + CARD :]


def without_card(data: bytes, name: str) -> bytes:
    """Return a FITS file with a comment in the place of a card."""
    at = data.index(f"{name:<8}=".encode())
    return data[:at] + b"COMMENT".ljust(CARD) + data[at + CARD :]


def with_another_card(data: bytes, after: str, text: str) -> bytes:
    """Return a FITS file with a card in the place of the one that follows another."""
    at = data.index(f"{after:<8}=".encode()) + CARD
    return data[:at] + text.encode().ljust(CARD)[:CARD] + data[at + CARD :]
