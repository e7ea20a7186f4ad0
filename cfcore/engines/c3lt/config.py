"""Settings of C3LT. No torch here: a form reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..settings import Settings


@dataclass(frozen=True)
class C3LTConfig(Settings):
    """Nothing is to be chosen: the trained network moves the latent in one pass."""

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        return 1
