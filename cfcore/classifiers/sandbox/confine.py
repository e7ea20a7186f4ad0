"""Taking rights away from the own process, for good. Standard library only; Linux on x86-64 or ARM64 has them all.

Sources: landlock(7), seccomp(2), user_namespaces(7), getrlimit(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from pathlib import Path

CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET, CLONE_THREAD = 0x08000000, 0x10000000, 0x40000000, 0x00010000
PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE = 38, 4
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
# Anything newer answers "not there"; libraries then take the older call, which is in the list below or harmless.
NEWEST_KNOWN_CALL = 449

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_CLONE = {"x86_64": 56, "aarch64": 220}
_OPENAT = {"x86_64": 257, "aarch64": 56}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_CLONE3, _OPENAT2 = 435, 437
# Sockets, new programs and processes, other processes' memory, mounts, namespaces, kernel modules, keys, changes of
# files by name, signals to others, io_uring (which would do all of that around this filter).
_DENIED = {
    "x86_64": (
        *range(41, 56), 57, 58, 59, 62, 76, *range(82, 89), *range(90, 95), 101, 129, 132, 133, 134, 153,
        155, 160, 161, 163, *range(165, 184), 188, 189, 190, 197, 198, 199, 200, 235, 240, 241, 242, 243,
        244, 245, 246, 248, 249, 250, 258, 259, 260, 261, 263, 264, 265, 266, 268, 272, 280, 288, 297, 298,
        299, 300, 303, 304, 307, 308, 310, 311, 312, 313, 316, 320, 321, 322, 323, 424, 425, 426, 427, 428,
        429, 430, 431, 432, 433, 434, 438, 440, 442,
    ),
    "aarch64": (
        5, 6, 7, 14, 15, 16, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 45, 51, 52, 53, 54, 55, 60, 88, 89, 97, 104,
        105, 106, 117, 129, 130, 142, 164, 180, 181, 182, 183, 184, 185, *range(198, 213), 217, 218, 219, 221, 224,
        225, 240, 241, 242, 243, 262, 264, 265, 268, 269, 270, 271, 272, 273, 276, 280, 281, 282, 294,
        424, 425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 440, 442,
    ),
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def confine(memory: int, cpu_seconds: int, readable: tuple[str, ...]) -> list[str]:
    """Give up network, files, new processes and more than `memory` bytes of address space; must run before threads.

    Args:
        memory: address space in bytes. cpu_seconds: CPU time until the first call moves the limit on.
        readable: files and folders that stay readable: the interpreter's own.

    Returns:
        One line for each protection that took hold, in plain words.
    """
    held = ["no environment variables, an empty working folder"]
    held += _unshare()
    held += _resource_limits(memory, cpu_seconds)
    if _libc is not None:
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        _drop_capabilities()
        held += _landlock(readable)
        held += _seccomp(os.uname().machine)
    return held


def _unshare() -> list[str]:
    """A user namespace takes the rights over other processes, a network namespace has no interface that is up."""
    if _libc is None:
        return []
    if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0:
        return ["no network (own network namespace)", "no rights over other processes (own user namespace)"]
    if _libc.unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0:
        return ["no network (own network namespace)"]
    return []


def _drop_capabilities() -> None:
    """Empty effective, permitted and inheritable sets: in a container's root process they are not empty."""
    assert _libc is not None
    version_3 = 0x20080522
    _libc.capset(struct.pack("@Ii", version_3, 0), bytes(24))


def _resource_limits(memory: int, cpu_seconds: int) -> list[str]:
    held = []
    wanted = (
        (resource.RLIMIT_AS, memory, memory, f"at most {memory / 2**30:.0f} GiB of memory"),
        (resource.RLIMIT_CPU, cpu_seconds, resource.RLIM_INFINITY, "limited CPU time"),
        (resource.RLIMIT_NOFILE, 64, 64, "at most 64 open files"),
        (resource.RLIMIT_NPROC, 64, 64, "at most 64 threads"),
        (resource.RLIMIT_FSIZE, 0, 0, "no writing of files"),
        (resource.RLIMIT_CORE, 0, 0, "no memory dump"),
    )
    for kind, soft, hard, words in wanted:
        try:
            resource.setrlimit(kind, (soft, hard))
        except (OSError, ValueError):
            continue
        held.append(words)
    return held


def _landlock(readable: tuple[str, ...]) -> list[str]:
    """No file but `readable` can be opened, none can be written."""
    assert _libc is not None
    version = _libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return []
    rights = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)
    network = 0b11 if version >= 4 else 0
    scoped = 0b11 if version >= 6 else 0
    attributes = struct.pack("<QQQ", (1 << rights) - 1, network, scoped)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _libc.syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return []
    execute, read_file, read_folder = 1, 4, 8
    for name in readable:
        path = Path(name)
        try:
            descriptor = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
        except OSError:
            continue
        access = read_file | execute | (read_folder if path.is_dir() else 0)
        _libc.syscall(LANDLOCK_ADD_RULE, ruleset, 1, struct.pack("<Qi", access, descriptor), 0)
        os.close(descriptor)
    done = _libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return ["no files but Python's own (Landlock)"] if done == 0 else []


def _seccomp(machine: str) -> list[str]:
    """A filter on system calls, for every thread of the process."""
    assert _libc is not None
    if machine not in _ARCHITECTURES:
        return []
    code = filter_program(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    all_threads = 1
    if _libc.syscall(_SECCOMP[machine], 1, all_threads, program) != 0:
        return []
    return ["no sockets, new processes or signals to others (seccomp)"]


def filter_program(machine: str) -> bytes:
    """The filter as classic BPF (8 bytes an instruction) for "x86_64" or "aarch64"."""

    def statement(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("<HBBI", code, yes, no, value)

    load, equal, greater, bits, give = 0x20, 0x15, 0x25, 0x45, 0x06
    number, architecture, argument = 0, 4, lambda i: 16 + 8 * i
    refuse, absent = statement(give, ERRNO | EPERM), statement(give, ERRNO | ENOSYS)
    code = [
        statement(load, architecture),
        statement(equal, _ARCHITECTURES[machine], 1, 0),
        statement(give, KILL),
        statement(load, number),
        statement(greater, NEWEST_KNOWN_CALL, 0, 1),
        absent,
    ]
    for call in (_CLONE3, _OPENAT2):
        code += [statement(equal, call, 0, 1), absent]
    for call in _DENIED[machine]:
        code += [statement(equal, call, 0, 1), refuse]
    # A thread may be made, a process not.
    code += [
        statement(equal, _CLONE[machine], 0, 4),
        statement(load, argument(0)),
        statement(bits, CLONE_THREAD, 1, 0),
        refuse,
        statement(give, ALLOW),
    ]
    # Limits may be read (new_limit is NULL), not set.
    code += [
        statement(equal, _PRLIMIT[machine], 0, 6),
        statement(load, argument(2)),
        statement(equal, 0, 0, 2),
        statement(load, argument(2) + 4),
        statement(equal, 0, 1, 0),
        refuse,
        statement(give, ALLOW),
    ]
    # Files are opened for reading only.
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    opens = [(_OPENAT[machine], 2)] + ([(2, 1)] if machine == "x86_64" else [])
    for call, flags in opens:
        code += [
            statement(equal, call, 0, 4),
            statement(load, argument(flags)),
            statement(bits, writing, 0, 1),
            refuse,
            statement(give, ALLOW),
        ]
    return b"".join([*code, statement(give, ALLOW)])
