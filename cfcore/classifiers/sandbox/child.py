"""What runs inside the sandbox: load one program, answer with its outputs and gradients."""

from __future__ import annotations

import io
import json
import os
import sys
import sysconfig
import tempfile
from typing import Any

from .confine import confine
from .frames import pack, read_frame

# The loader's cache, and what the C library and torch ask about the processor; nothing of anybody's.
SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/proc/cpuinfo",
    "/proc/meminfo", "/proc/self", "/sys/devices/system/cpu", "/dev/null", "/dev/urandom",
)  # fmt: skip


class Refusal(Exception):
    """Something that the program did wrong, in words for the person who brought it."""


def _own_paths() -> tuple[str, ...]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders.add(os.path.join(sys.base_prefix, "lib"))
    # Through links: a rule on a link would hold for the link's own place only.
    return tuple(os.path.realpath(folder) for folder in folders) + SYSTEM


def main() -> None:
    """Confine this process, then serve frames from stdin on stdout until stdin ends."""
    settings = json.loads(sys.argv[1])
    stdin, stdout = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    # What the program prints must not land between the frames.
    os.dup2(2, 1)
    held = confine(settings["memory"], settings["cpu_seconds"], _own_paths())

    # Some imports of torch.export ask for a temporary folder, and use none.
    tempfile.tempdir = os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.getcwd()

    import torch

    torch.set_num_threads(settings["threads"])
    program: Any = None
    _send(stdout, {"protections": held, "torch": torch.__version__})
    while True:
        try:
            header, body = read_frame(lambda n: os.read(stdin, n))
        except EOFError:
            return
        try:
            if header["do"] == "load":
                program = _load(header["format"], bytes(body))
                _send(stdout, {})
                continue
            images = torch.frombuffer(body, dtype=torch.float32)
            n = 1
            for length in header["shape"]:
                n *= length
            grad = images[n:].view(header["grad_shape"]) if header["do"] == "backward" else None
            result = _run(program, images[:n].view(header["shape"]), grad, header["batch"])
            _send(stdout, {"shape": list(result.shape)}, result)
        except MemoryError:
            _send(stdout, {"error": "not enough memory"})
        except Exception as error:
            _send(stdout, {"error": _words(error)})


def _words(error: Exception) -> str:
    if isinstance(error, Refusal):
        return str(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    if "can't allocate memory" in str(error):
        return "not enough memory"
    # TorchScript puts its trace first and the reason last.
    reason = lines[0] if len(lines) == 1 or not lines[0].startswith("The following") else lines[-1]
    return f"{type(error).__name__}: {reason}"[:500]


def _load(format: str, data: bytes) -> Any:
    import torch

    if format == "torchscript":
        program: Any = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
    else:
        import torch.export

        program = torch.export.load(io.BytesIO(data)).module()
    for parameter in program.parameters():
        parameter.requires_grad_(False)
    return program


def _run(program: Any, images: Any, grad: Any, batch: int) -> Any:
    """Outputs (n, ...) or, with `grad`, the vector-Jacobian product (n, channels, *size), a few images at a time."""
    import torch

    parts = []
    # Without the profiling executor the first call takes the same way, and gives the same bits, as every other.
    with torch.jit.optimized_execution(False):
        for start in range(0, len(images), batch):
            chunk = images[start : start + batch].clone()
            if grad is None:
                with torch.no_grad():
                    parts.append(_tensor(program(chunk)))
                continue
            chunk.requires_grad_(True)
            outputs = _tensor(program(chunk))
            if not outputs.requires_grad:
                raise Refusal(
                    "the program gives no gradient: its output does not depend on the image in a way that can be "
                    "differentiated. Export it without torch.no_grad(), torch.inference_mode() or .detach()"
                )
            (product,) = torch.autograd.grad(outputs, chunk, grad[start : start + batch], allow_unused=True)
            parts.append(torch.zeros_like(chunk) if product is None else product)
    return torch.cat(parts).float().contiguous()


def _tensor(outputs: Any) -> Any:
    import torch

    if not isinstance(outputs, torch.Tensor):
        raise Refusal(f"expected one tensor (images, outputs), found a {type(outputs).__name__}: wrap the network")
    if not outputs.is_floating_point():
        raise Refusal(f"expected floating-point outputs, found {outputs.dtype}: return logits or probabilities")
    if outputs.dim() == 0:
        raise Refusal("expected outputs (images, outputs), found a single number")
    return outputs.float()


def _send(descriptor: int, header: dict[str, Any], tensor: Any = None) -> None:
    body = b"" if tensor is None else tensor.numpy().tobytes()
    data = memoryview(pack(header, len(body)) + body)
    while data:
        data = data[os.write(descriptor, data) :]
