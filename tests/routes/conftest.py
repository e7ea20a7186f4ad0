"""Quick password hashes: what argon2 costs is no question of these tests."""

import pytest
from argon2 import PasswordHasher

from services import accounts


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", hasher)
    monkeypatch.setattr(accounts, "_NOBODY", hasher.hash("nobody"))
