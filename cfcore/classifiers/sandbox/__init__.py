"""A child process for program files: without secrets, database, network or files, with limits on time and memory."""

from .process import Limits, Sandbox, SandboxError

__all__ = ["Limits", "Sandbox", "SandboxError"]
