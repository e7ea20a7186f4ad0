"""What a confined process can no longer do, tried from inside."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cfcore.classifiers.sandbox.confine import ALLOW, EPERM, ERRNO, KILL, filter_program

ROOT = Path(__file__).parents[4]

ATTEMPTS = """
import ctypes, json, os, resource, signal, socket, subprocess, sys, threading
sys.path.append(sys.argv[1])
from cfcore.classifiers.sandbox.confine import confine
secret, parent = sys.argv[2], os.getppid()
held = confine(4 << 30, 60, (os.path.realpath(os.path.dirname(os.__file__)),))

def attempt(call):
    try:
        call()
        return "done"
    except BaseException as error:
        return type(error).__name__

def connect():
    socket.create_connection(("127.0.0.1", int(sys.argv[3])), timeout=2)

def thread():
    started = threading.Thread(target=lambda: None)
    started.start()
    started.join()

tried = {
    "read a file": lambda: open(secret).read(),
    "write a file": lambda: open(os.path.join(os.path.dirname(secret), "new"), "w").write("x"),
    "write here": lambda: open("new", "w"),
    "remove a file": lambda: os.unlink(secret),
    "rename a file": lambda: os.rename(secret, secret + "2"),
    "list a folder": lambda: os.listdir(os.path.dirname(secret)),
    "read the parent's environment": lambda: open(f"/proc/{parent}/environ").read(),
    "connect": connect,
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os._exit(0) if os.fork() == 0 else None,
    "subprocess": lambda: subprocess.run(["/bin/true"]),
    "kill the parent": lambda: os.kill(parent, signal.SIGTERM),
    "more memory": lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)),
    "take memory": lambda: bytearray(5 << 30),
    "new namespace": lambda: 1 / (ctypes.CDLL(None).unshare(0x20000000) == 0),
    "read the library": lambda: open(os.__file__).read(),
    "start a thread": thread,
    "read limits": lambda: resource.getrlimit(resource.RLIMIT_AS),
}
print(json.dumps({"held": held, "tried": {name: attempt(call) for name, call in tried.items()}}))
"""

STILL_POSSIBLE = {"read the library", "start a thread", "read limits"}


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    import socket

    folder = tmp_path_factory.mktemp("secrets")
    secret = folder / "patients.sqlite"
    secret.write_text("secret")
    empty = tmp_path_factory.mktemp("empty")
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run(
            [sys.executable, "-I", "-c", ATTEMPTS, str(ROOT), str(secret), str(server.getsockname()[1])],
            capture_output=True,
            text=True,
            cwd=empty,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert secret.read_text() == "secret"
    assert os.listdir(folder) == ["patients.sqlite"]
    return json.loads(done.stdout)


def test_nothing_harmful_is_possible_and_work_still_is(confined: dict[str, dict[str, str]]) -> None:
    outcome = confined["tried"]
    assert {name for name, result in outcome.items() if result == "done"} == STILL_POSSIBLE, outcome


def test_every_protection_of_this_kernel_holds(confined: dict[str, list[str]]) -> None:
    held = "\n".join(confined["held"])
    for words in ("GiB of memory", "CPU time", "open files", "threads", "no writing", "seccomp"):
        assert words in held


def run_filter(code: bytes, call: int, arguments: tuple[int, ...], architecture: int) -> int:
    """A small classic-BPF machine: what the filter answers to one system call."""
    data = struct.pack("<IIQ6Q", call, architecture, 0, *(arguments + (0,) * 6)[:6])
    at, register = 0, 0
    while True:
        operation, yes, no, value = struct.unpack_from("<HBBI", code, 8 * at)
        at += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            (register,) = struct.unpack_from("<I", data, value)
            continue
        met = {0x15: register == value, 0x25: register > value, 0x45: bool(register & value)}[operation]
        at += yes if met else no


REFUSED, ABSENT = ERRNO | EPERM, ERRNO | 38
X86, ARM = ("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)


@pytest.mark.parametrize(
    ("machine", "call", "arguments", "answer"),
    [
        (X86, 0, (), ALLOW),  # read
        (X86, 41, (), REFUSED),  # socket
        (X86, 59, (), REFUSED),  # execve
        (X86, 2, (0, os.O_RDONLY), ALLOW),  # open
        (X86, 2, (0, os.O_RDWR), REFUSED),
        (X86, 257, (0, 0, os.O_RDONLY | os.O_CLOEXEC), ALLOW),  # openat
        (X86, 257, (0, 0, os.O_WRONLY | os.O_CREAT), REFUSED),
        (X86, 437, (), ABSENT),  # openat2: its flags are behind a pointer
        (X86, 56, (0x3D0F00,), ALLOW),  # clone of a thread
        (X86, 56, (17,), REFUSED),  # clone of a process
        (X86, 435, (), ABSENT),  # clone3
        (X86, 302, (0, 9, 0), ALLOW),  # prlimit64 that reads
        (X86, 302, (0, 9, 1), REFUSED),
        (X86, 302, (0, 9, 1 << 32), REFUSED),
        (X86, 41 | 0x40000000, (), ABSENT),  # the x32 way around
        (X86, 500, (), ABSENT),
        (ARM, 63, (), ALLOW),  # read
        (ARM, 198, (), REFUSED),  # socket
        (ARM, 221, (), REFUSED),  # execve
        (ARM, 56, (0, 0, os.O_RDONLY), ALLOW),  # openat
        (ARM, 56, (0, 0, os.O_WRONLY), REFUSED),
        (ARM, 220, (17,), REFUSED),  # clone of a process
        (ARM, 261, (0, 9, 1), REFUSED),  # prlimit64
    ],
)
def test_filter_decides_by_call_and_arguments(
    machine: tuple[str, int], call: int, arguments: tuple[int, ...], answer: int
) -> None:
    assert run_filter(filter_program(machine[0]), call, arguments, machine[1]) == answer


def test_filter_kills_a_call_of_another_architecture() -> None:
    assert run_filter(filter_program("x86_64"), 0, (), 0x40000003) == KILL
