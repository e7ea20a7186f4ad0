"""Pseudonyms."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.images.pseudonyms import pseudonym

KEY, OTHER = b"k" * 32, b"o" * 32


@given(st.text(min_size=1).filter(lambda t: t.strip().strip("\0")))
def test_stable_keyed_and_opaque(patient: str) -> None:
    name = pseudonym(KEY, patient)
    assert re.fullmatch("[a-z2-7]{16}", name)
    assert name == pseudonym(KEY, f" {patient} ")
    assert name != pseudonym(OTHER, patient)


def test_known_answer() -> None:
    import base64
    import hashlib
    import hmac

    digest = hmac.new(KEY, b"patient\x00P-17", hashlib.sha256).digest()
    assert pseudonym(KEY, "P-17") == base64.b32encode(digest)[:16].decode().lower()


def test_ten_thousand_patients_do_not_collide() -> None:
    assert len({pseudonym(KEY, str(i)) for i in range(10_000)}) == 10_000


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes, got 3"):
        pseudonym(b"abc", "P")
    with pytest.raises(ValueError, match="patient id is needed"):
        pseudonym(KEY, "  ")
