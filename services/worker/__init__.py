"""Long work in one child process of the server: queue, lease, progress, cancel, resume."""

from .supervise import WorkerHandle, start_worker

__all__ = ["WorkerHandle", "start_worker"]
