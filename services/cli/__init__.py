"""The command line: `cfreader`, the same verbs as the pages."""

from .main import main

__all__ = ["main"]
