"""A base for the Configs of methods. No torch here: forms read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Settings:
    """A base for Configs that tell more than their fields do. A plain frozen dataclass is a Config, too.

    Attributes:
        groups: heading -> what holds while its fields are not asked for. A form hides them until somebody wants them.
    """

    groups: ClassVar[Mapping[str, str]] = {}

    def drawings_an_image(self, generator_card: Mapping[str, Any]) -> int:
        """How many moved pictures the search draws of every image; 0 where nobody can say. `generator_card`: that of
        the generator that will be used."""
        return 0
