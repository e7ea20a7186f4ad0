"""The cache of decoded pictures: made once, bounded, the least used goes first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from services.pixel_cache import PixelCache


def test_a_body_is_made_once_and_the_least_used_goes_first() -> None:
    cache, made = PixelCache(budget=40), []

    def body(name: str) -> bytes:
        return cache.get(name, lambda: made.append(name) or name.encode() * 10)  # type: ignore[func-returns-value]

    for name in ("a", "b", "c", "d", "a", "e", "a", "b"):
        assert body(name) == name.encode() * 10
    assert made == ["a", "b", "c", "d", "e", "b"]


def test_what_is_too_large_is_not_kept() -> None:
    cache, made = PixelCache(budget=40), []
    for _ in range(2):
        assert len(cache.get("x", lambda: made.append(1) or bytes(11))) == 11  # type: ignore[func-returns-value]
    assert len(made) == 2


def test_threads_get_the_right_bodies() -> None:
    cache = PixelCache(budget=400)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: cache.get(n % 7, lambda: bytes([n % 7]) * 50), range(400)))
    assert all(body == bytes([n % 7]) * 50 for n, body in enumerate(found))
