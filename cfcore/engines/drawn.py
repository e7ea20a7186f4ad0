"""What the methods share that draw with a trained network: does it fit the classifier, and the line in a latent."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from cfcore.classifiers.base import Classifier

from .searched import Searched


class Drawn(Searched):
    """A `Searched` method whose pictures come from a generator of the class `network`.

    Attributes:
        network: the generator's class, whose `kind` the method's `generator_kind` is. article: its name in an error.
    """

    network: ClassVar[type[nn.Module]]
    article: ClassVar[str]
    generator: Any

    def __init__(self, classifier: Classifier, config: Any, generator: nn.Module | None = None) -> None:
        if not isinstance(generator, self.network):
            found = "none" if generator is None else type(generator).__name__
            raise ValueError(
                f"{self.title} needs {self.article} generator, not {found}: choose or train one for this classifier"
            )
        super().__init__(classifier, config, generator)


class LatentLine(Drawn):
    """A `Drawn` method that finds a latent: between the reconstruction and the counterfactual lies the straight line in
    the latent. A code is both ends, (n, 2 * latent), and the mark of `Searched`."""

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        self._check(direction)
        begin, end = codes[:, :-1].chunk(2, dim=1)
        # lerp is exact at both ends.
        return self.generator.decode(begin.lerp(end, degrees[:, None]))
