"""Patient pseudonyms: the same patient gets the same name in one workspace and another one in the next."""

import base64
import hashlib
import hmac
import unicodedata

MIN_KEY_BYTES = 16


def pseudonym(key: bytes, patient_id: str) -> str:
    """16 characters [a-z2-7], the first 80 bits of HMAC-SHA256 (RFC 2104) of the patient id under `key`.

    Without the key the id can neither be recovered nor be tested by guessing. Blanks around the id are dropped
    (DICOM pads with them) and Unicode is normalised. Two of a million patients collide with probability
    4e-13. Raises ValueError for a key of fewer than 16 bytes or an empty id.
    """
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"the pseudonym key needs at least {MIN_KEY_BYTES} bytes, got {len(key)}")
    identity = unicodedata.normalize("NFC", patient_id).strip().strip("\0")
    if not identity:
        raise ValueError("a patient id is needed; a file without one is its own patient")
    digest = hmac.new(key, b"patient\0" + identity.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode("ascii").lower()
