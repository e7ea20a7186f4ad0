"""What goes over the pipes: a length-prefixed JSON header and raw bytes, never a pickle. Standard library only."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

PREFIX = struct.Struct("<IQ")
LONGEST_HEADER = 1 << 16


def pack(header: dict[str, Any], body_length: int) -> bytes:
    """The bytes that go before a body of `body_length` bytes."""
    text = json.dumps(header).encode()
    return PREFIX.pack(len(text), body_length) + text


def read_frame(read: Callable[[int], bytes]) -> tuple[dict[str, Any], bytearray]:
    """One frame from `read(n)`, which gives up to n bytes and b"" at the end. Raises EOFError where it ends early."""

    def exactly(n: int) -> bytearray:
        data = bytearray(n)
        view, filled = memoryview(data), 0
        while filled < n:
            part = read(min(n - filled, 1 << 20))
            if not part:
                raise EOFError("the other end has closed the pipe")
            view[filled : filled + len(part)] = part
            filled += len(part)
        return data

    header_length, body_length = PREFIX.unpack(exactly(PREFIX.size))
    return json.loads(exactly(header_length)), exactly(body_length)
