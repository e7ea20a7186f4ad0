"""The parent's end of the sandbox: start, ask with a time limit, kill."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .frames import LONGEST_HEADER, PREFIX, pack

_BOOT = "import sys; sys.path.append(sys.argv[2]); from cfcore.classifiers.sandbox.child import main; main()"
_ROOT = str(Path(__file__).parents[3])
# Importing torch, and torch.export more so, takes long on a machine that is busy.
START_SECONDS = 300.0


class SandboxError(RuntimeError):
    """The child refused, crashed or was too slow; the message says what happened."""


@dataclass(frozen=True)
class Limits:
    """What a program may use: `memory` in bytes of address space, `seconds` a call, `threads` to compute with."""

    memory: int = 8 << 30
    seconds: float = 120.0
    threads: int = 1


class Sandbox:
    """One confined child process. Not safe for use by two threads at a time.

    Attributes:
        protections: what took hold on this machine, in plain words.

    Raises:
        SandboxError: the child did not start.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._folder = tempfile.TemporaryDirectory(prefix="cfreader-sandbox-")
        budget = self._cpu_budget(START_SECONDS)
        settings = {"memory": limits.memory, "cpu_seconds": budget, "threads": limits.threads}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _BOOT, json.dumps(settings), _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._folder.name,
            env={
                "OMP_NUM_THREADS": str(limits.threads),
                "USER": "sandbox",
                "HOME": "/nonexistent",
                "LC_ALL": "C.UTF-8",
            },
            start_new_session=True,
        )
        self._finalizer = weakref.finalize(self, _end, self._process, self._folder)
        for pipe in self._pipes:
            os.set_blocking(pipe, False)
        try:
            header, _ = self._exchange([], START_SECONDS, most=0)
        except SandboxError as error:
            raise SandboxError(f"the sandbox did not start: {error}") from None
        self.protections: tuple[str, ...] = tuple(str(line) for line in header.get("protections", ()))

    @property
    def _pipes(self) -> tuple[int, int, int]:
        process = self._process
        assert process.stdin and process.stdout and process.stderr
        return process.stdin.fileno(), process.stdout.fileno(), process.stderr.fileno()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def load(self, format: str, data: bytes) -> None:
        """Give the child its program, as "torchscript" or "export". Raises as `ask`."""
        self.ask({"do": "load", "format": format}, data, most=0, seconds=max(START_SECONDS, self.limits.seconds))

    def ask(
        self, header: dict[str, Any], *bodies: Any, most: int, seconds: float | None = None
    ) -> tuple[dict[str, Any], bytearray]:
        """Send one frame and wait for the answer.

        Args:
            header: JSON values. bodies: buffers sent after it.
            most: bytes that the answer's body may have. seconds: instead of the limits'.

        Raises:
            SandboxError: the child refused (its words, without control characters), crashed, broke the protocol or
                took longer than the limit; but for a refusal it is dead afterwards.
        """
        views = [memoryview(body).cast("B") for body in bodies]
        seconds = self.limits.seconds if seconds is None else seconds
        self._allow_cpu(seconds)
        frame = memoryview(pack(header, sum(len(view) for view in views)))
        answer, body = self._exchange([frame, *views], seconds, most=most)
        if "error" in answer:
            raise SandboxError(_plain(str(answer["error"])))
        return answer, body

    def close(self) -> None:
        """Kill the child and remove its folder."""
        self._finalizer()

    def _cpu_budget(self, seconds: float) -> int:
        return int(seconds * max(1, self.limits.threads)) + 1

    def _allow_cpu(self, seconds: float) -> None:
        """Move the child's CPU limit on; it ends a program that spins on after this process was killed."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            limit = int(used) + self._cpu_budget(seconds)
            resource.prlimit(self._process.pid, resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        except (OSError, AttributeError, IndexError, ValueError):
            return

    def _exchange(self, outgoing: list[memoryview], seconds: float, most: int) -> tuple[dict[str, Any], bytearray]:
        stdin, stdout, stderr = self._pipes
        deadline = time.monotonic() + seconds
        incoming, said = bytearray(), bytearray()
        wanted = PREFIX.size
        header_length = body_length = -1
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        poll.register(stderr, select.POLLIN)
        if outgoing:
            poll.register(stdin, select.POLLOUT)
        while len(incoming) < wanted or header_length < 0:
            left = deadline - time.monotonic()
            ready = poll.poll(max(0.0, left) * 1000)
            if not ready or left <= 0:
                self.close()
                raise SandboxError(f"no answer within {seconds:g} s: the program was stopped")
            for descriptor, _ in ready:
                if descriptor == stdin:
                    try:
                        sent = os.write(stdin, outgoing[0][: 1 << 20])
                    except BrokenPipeError:
                        sent = 0
                        poll.unregister(stdin)
                    outgoing[0] = outgoing[0][sent:]
                    while outgoing and not outgoing[0]:
                        outgoing.pop(0)
                    if not outgoing:
                        poll.unregister(stdin)
                elif descriptor == stderr:
                    part = os.read(stderr, 1 << 16)
                    said = (said + part)[-2000:]
                    if not part:
                        poll.unregister(stderr)
                else:
                    part = os.read(stdout, min(wanted - len(incoming), 1 << 20))
                    if not part:
                        raise SandboxError(self._obituary(bytes(said)))
                    incoming += part
            if header_length < 0 and len(incoming) >= PREFIX.size:
                header_length, body_length = PREFIX.unpack(incoming[: PREFIX.size])
                if header_length > LONGEST_HEADER or body_length > most:
                    self.close()
                    raise SandboxError("an answer that is longer than it can be: the program was stopped")
                wanted = PREFIX.size + header_length + body_length
        try:
            header = json.loads(incoming[PREFIX.size : PREFIX.size + header_length])
            if not isinstance(header, dict):
                raise ValueError
        except ValueError:
            self.close()
            raise SandboxError("an answer that is not of the protocol: the program was stopped") from None
        return header, incoming[PREFIX.size + header_length :]

    def _obituary(self, said: bytes) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.close()
            return "it closed its output: the program was stopped"
        self.close()
        reason = f"exit status {code}"
        if code < 0:
            name = signal.Signals(-code).name
            reason = {"SIGXCPU": "used up its CPU time", "SIGKILL": "killed, maybe for want of memory"}.get(name, name)
        lines = _plain(said.decode(errors="replace")).strip()
        return f"it crashed ({reason})" + (f": {lines[-300:]}" if lines else "")


def _plain(text: str) -> str:
    """The words of a program that nobody trusts, fit to be shown: printable characters on one line."""
    return "".join(c if c.isprintable() else " " for c in text)[:500]


def _end(process: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    folder.cleanup()
