"""What a report says of a study beside its readings: who, with what, from where. Plain data that the caller fills
in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReaderFacts:
    """A reader as the report may show one: never a name. `specialty` and `years` are None where nobody was asked."""

    label: str
    simulated: bool
    specialty: str | None = None
    years: float | None = None
    replaces: str | None = None


@dataclass(frozen=True)
class LookFacts:
    """A look at interim results: `planned` is its number in the plan, None for any other; `share` of the readings."""

    planned: int | None
    when: str
    share: float
    reason: str = ""


@dataclass(frozen=True)
class StudyFacts:
    """What the methods text and the checklists are written from.

    engine, classifier, generator, dataset: names, "" where unknown. dataset_kind: "imported", "phantom" or "".
    n_images: in the data set. target: class that counterfactuals move to. selection: the rule by which images were
    drawn, in words. flow: (step, count) of the gate. split: of the data set the pairs were drawn from.
    first_reading, last_reading: days, "" before there are any. plan: shares of the readings at which looks were
    planned. ethics: number of the approval. reference: where reference answers came from, "" where there are none.
    exposure: a sentence: how often a reader met a patient. screens: a sentence: what readers saw of the test pattern.
    """

    digest: str = ""
    version: int = 1
    amendments: Sequence[tuple[int, str]] = ()
    engine: str = ""
    classifier: str = ""
    generator: str = ""
    dataset: str = ""
    dataset_kind: str = ""
    n_images: int = 0
    target: str = ""
    split: str = ""
    selection: str = ""
    flow: Sequence[tuple[str, int]] = ()
    readers: Sequence[ReaderFacts] = ()
    first_reading: str = ""
    last_reading: str = ""
    plan: Sequence[float] = ()
    looks: Sequence[LookFacts] = ()
    ethics: str = ""
    consent: bool = False
    reference: str = ""
    exposure: str = ""
    screens: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def unplanned(self) -> list[LookFacts]:
        return [look for look in self.looks if look.planned is None]
