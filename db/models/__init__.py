"""Every table of a workspace."""

from .accounts import Account, Invitation, LoginSession
from .base import Base, now
from .datasets import Dataset, Image, SkippedRow
from .events import Event
from .notebook import Entry
from .runs import Counterfactual, Direction, Lease, Model, Run
from .studies import ExcludedPair, Pair, PlannedTrial, Reading, Study, StudyReader, StudyVersion, Trial

__all__ = [
    "Account",
    "Base",
    "Counterfactual",
    "Dataset",
    "Direction",
    "Entry",
    "Event",
    "ExcludedPair",
    "Image",
    "Invitation",
    "Lease",
    "LoginSession",
    "Model",
    "Pair",
    "PlannedTrial",
    "Reading",
    "Run",
    "SkippedRow",
    "Study",
    "StudyReader",
    "StudyVersion",
    "Trial",
    "now",
]
