"""Every method that pages, runs, studies and tables offer: one line each."""

from __future__ import annotations

from .ablation import Difference, GradCam, IntegratedGradients, LatentIntegratedGradients
from .attfind import AttFind
from .base import Engine
from .c3lt import C3LTEngine
from .cem import CEM
from .eigenfind import EigenFind
from .expgan import ExplainGAN
from .medxgan import MedXGANEngine
from .mirror import MirrorEngine
from .pgd import PGD
from .revise import Revise
from .wachter import Wachter

ENGINES: dict[str, type[Engine]] = {
    engine.name: engine
    for engine in (
        EigenFind,
        AttFind,
        MedXGANEngine,
        GradCam,
        IntegratedGradients,
        LatentIntegratedGradients,
        Difference,
        MirrorEngine,
        Wachter,
        CEM,
        PGD,
        Revise,
        ExplainGAN,
        C3LTEngine,
    )
}


def engine_class(name: str) -> type[Engine]:
    """The engine called `name`. Raises ValueError that lists the known names."""
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; known are {', '.join(ENGINES)}")
    return ENGINES[name]
