"""Classifiers that are programs: TorchScript and torch.export files, run in a sandbox only."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .base import Classifier
from .sandbox import Limits, Sandbox, SandboxError
from .spec import ClassifierSpec

Format = Literal["safetensors", "torchscript", "export"]
IMAGES_A_CALL = 16
MOST_OUTPUTS = 10_000
REMEDY = "save the network with torch.export.save(torch.export.export(...), path), or its weights with safetensors"


class ProgramError(ValueError):
    """The program file is not what it should be, or failed; the message says what was expected and what was found."""


def file_format(path: Path) -> Format:
    """What kind of file this is, by its first bytes and its table of contents; nothing of it is run or unpickled.

    Raises:
        ProgramError: none of the three; a pickle (torch.save) is named as such, with the remedy.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if len(start) == 0:
        raise ProgramError("the file is empty: export the network again")
    if start[:2] == b"PK":
        return _archive_format(path)
    header = int.from_bytes(start[:8], "little")
    if start[8:9] == b"{" and 2 <= header <= path.stat().st_size - 8:
        return "safetensors"
    if start[:1] == b"\x80":
        raise ProgramError(f"this is a pickle (torch.save), which can run anything when it is opened: {REMEDY}")
    raise ProgramError(
        f"expected a TorchScript, torch.export or safetensors file, found something else "
        f"(its first bytes are {start[:4].hex(' ')}): {REMEDY}"
    )


def _archive_format(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ProgramError("the file is cut off or damaged: copy or export it again") from error
    inner = {name.split("/", 1)[-1] for name in names}
    if "serialized_exported_program.json" in inner or any(
        name.startswith("models/") and name.endswith(".json") for name in inner
    ):
        return "export"
    if any(name.startswith("code/") for name in inner) and "constants.pkl" in inner:
        return "torchscript"
    if "data.pkl" in inner:
        raise ProgramError(f"this is a pickle (torch.save), which can run anything when it is opened: {REMEDY}")
    raise ProgramError(f"expected a TorchScript or torch.export file, found another kind of zip archive: {REMEDY}")


class Program:
    """One program file and the child process that runs it, started when first asked and again after it has died.

    Args:
        path: the file. sha256: what it must hash to, checked before each start.
        format: "torchscript" or "export".
        batch: images that the program takes at a time (1 where it was exported with a fixed batch).
        limits: memory, seconds a call, threads.
    """

    def __init__(
        self, path: Path, sha256: str, format: Format, *, batch: int = IMAGES_A_CALL, limits: Limits | None = None
    ) -> None:
        self.path, self.sha256, self.format, self.batch = path, sha256, format, batch
        self.limits = limits or Limits()
        self._sandbox: Sandbox | None = None
        self._lock = threading.Lock()

    @property
    def protections(self) -> tuple[str, ...]:
        """What holds the program on this machine, in plain words; starts it where it is not running."""
        with self._lock:
            return self._running().protections

    def close(self) -> None:
        """Stop the child process."""
        with self._lock:
            if self._sandbox is not None:
                self._sandbox.close()
            self._sandbox = None

    def outputs(self, images: Tensor) -> Tensor:
        """(n, outputs) of (n, channels, *size) images in the network's own values.

        Raises:
            ProgramError: the program failed, crashed, took too long, or gave something else.
        """
        return torch.cat([self._outputs(chunk) for chunk in images.split(IMAGES_A_CALL)])

    def pull_back(self, images: Tensor, grad: Tensor) -> Tensor:
        """The vector-Jacobian product: d(outputs . grad) / d(images), shaped like `images`. Raises as `outputs`."""
        pairs = zip(images.split(IMAGES_A_CALL), grad.split(IMAGES_A_CALL), strict=True)
        return torch.cat([self._pull_back(chunk, part) for chunk, part in pairs])

    def _outputs(self, images: Tensor) -> Tensor:
        array = _bytes(images)
        header = {"do": "forward", "shape": list(images.shape), "batch": self.batch}
        answer, body = self._ask(header, array, most=4 * len(images) * MOST_OUTPUTS)
        shape = answer.get("shape")
        found = tuple(shape) if isinstance(shape, list) and all(type(n) is int for n in shape) else ()
        if len(found) == 1:
            found = (*found, 1)
        if len(found) != 2 or found[0] != len(images) or len(body) != 4 * found[0] * found[1] or found[1] == 0:
            raise ProgramError(
                f"expected outputs ({len(images)}, outputs) for {len(images)} images, found {tuple(shape or ())}: "
                "return one row of numbers an image"
            )
        return torch.frombuffer(body, dtype=torch.float32).view(found)

    def _pull_back(self, images: Tensor, grad: Tensor) -> Tensor:
        header = {
            "do": "backward",
            "shape": list(images.shape),
            "grad_shape": list(grad.shape),
            "batch": self.batch,
        }
        answer, body = self._ask(header, _bytes(images), _bytes(grad), most=4 * images.numel())
        if answer.get("shape") != list(images.shape) or len(body) != 4 * images.numel():
            raise ProgramError("the program gave a gradient of another shape than the images: export it again")
        return torch.frombuffer(body, dtype=torch.float32).view(images.shape)

    def _ask(self, header: dict[str, Any], *bodies: Any, most: int) -> tuple[dict[str, Any], bytearray]:
        with self._lock:
            try:
                return self._running().ask(header, *bodies, most=most)
            except SandboxError as error:
                raise ProgramError(f"the program failed: {error}") from error

    def _running(self) -> Sandbox:
        if self._sandbox is not None and self._sandbox.alive:
            return self._sandbox
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            raise ProgramError("the program file is gone from the model folder: add the classifier again") from None
        # The bytes that are hashed are the bytes that are run: the child never sees the file.
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise ProgramError(
                f"the program file was changed since it was added (SHA-256 {found[:12]}…, expected "
                f"{self.sha256[:12]}…): it was not run. Restore it or add the classifier again"
            )
        try:
            sandbox = Sandbox(self.limits)
        except SandboxError as error:
            raise ProgramError(str(error)) from error
        try:
            sandbox.load(self.format, data)
        except SandboxError as error:
            sandbox.close()
            raise ProgramError(f"the file could not be loaded as a {_TITLES[self.format]} program: {error}") from error
        self._sandbox = sandbox
        return sandbox


_TITLES = {"torchscript": "TorchScript", "export": "torch.export", "safetensors": "safetensors"}


def _bytes(tensor: Tensor) -> Any:
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy().reshape(-1)


class _InSandbox(torch.autograd.Function):
    """Outputs of the program; backward asks the child for the vector-Jacobian product."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, program: Program) -> Tensor:
        ctx.save_for_backward(images)
        ctx.program = program
        return program.outputs(images).to(images.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (images,) = ctx.saved_tensors
        return ctx.program.pull_back(images, grad).to(images.device), None


class ProgramClassifier(Classifier):
    """A user's program behind the classifier's face; `logits` is differentiable once.

    It has no features and no head that are known. Parameters there are none: the network lives in the child.

    Args:
        program: the file and its child. spec: what goes in and comes out.
    """

    def __init__(self, program: Program, spec: ClassifierSpec) -> None:
        super().__init__()
        self.program, self.spec = program, spec
        self.class_names, self.channels, self.size = spec.class_names, 1, spec.size

    def raw(self, images: Tensor) -> Tensor:
        """(n, outputs) that the program itself gives to (n, 1, *size) images in [0, 1]."""
        return _InSandbox.apply(self.spec.prepare(images), self.program)  # type: ignore[no-untyped-call]

    def logits(self, images: Tensor) -> Tensor:
        raw = self.raw(images)
        if raw.shape[1] not in self.spec.output_counts:
            expected = " or ".join(str(n) for n in self.spec.output_counts)
            raise ProgramError(
                f"the program has {raw.shape[1]} outputs, the description names {expected}: "
                f"give {'labels' if self.spec.labels else 'class_names (or labels)'} for all of them"
            )
        return self.spec.class_logits(raw)
