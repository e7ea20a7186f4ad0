"""Every kind of long work: what people call it, what does it, and where it is started. One entry a kind."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from cfcore.generators.registry import GENERATORS
from cfcore.wording import with_article

TRAIN = "train "


@dataclass(frozen=True)
class RunKind:
    """A kind of run.

    Attributes:
        title: what people see. job: "module:function" that does it, called with workspace, run and progress.
        start: "form": from the form of a new run; "call": by `services.runs.start_run` alone; "own": by a function of
            its own.
        short: whether a person waits for it, minutes at most. Beside one long run one short one is done.
    """

    title: str
    job: str
    start: Literal["form", "call", "own"] = "own"
    short: bool = False

    def function(self) -> Callable[..., Any]:
        """What does it, imported now."""
        module, name = self.job.split(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return found


RUN_KINDS: dict[str, RunKind] = {
    "explain": RunKind("Find directions and explain images", "services.worker.explain:explain_run", "form"),
    "train classifier": RunKind("Train a classifier", "services.training:train_classifier", "form"),
    **{
        TRAIN + kind: RunKind(f"Train {with_article(entry.title)} generator", f"services.training:train_{kind}", "form")
        for kind, entry in GENERATORS.items()
    },
    "measure": RunKind("Measure true factors on phantoms", "services.worker.measure:measure_run", "call"),
    "report": RunKind("Write the report of a study", "services.report.job:report_run", short=True),
    "rehearse": RunKind("Rehearse a study with simulated readers", "services.rehearsal_job:rehearse_run", short=True),
    "import": RunKind("Import images", "services.import_job:import_run", short=True),
}


def generator_trained(kind: str) -> str | None:
    """The kind of generator that a run of `kind` trains; None for all other runs."""
    trained = kind.removeprefix(TRAIN)
    return trained if kind.startswith(TRAIN) and trained in GENERATORS else None


def title_of(kind: str) -> str:
    """What people call a kind of run; its bare name where it is not known (any more)."""
    return RUN_KINDS[kind].title if kind in RUN_KINDS else kind
