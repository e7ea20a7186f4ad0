"""Every table of a workspace."""

from .accounts import Account, Invitation, LoginSession
from .base import Base, now
from .datasets import Dataset, Image, SkippedRow
from .events import Event
from .notebook import Entry
from .runs import Counterfactual, Direction, Lease, Model, Run
from .studies import Pair, Reading, Study, StudyReader, Trial

__all__ = [
    "Account",
    "Base",
    "Counterfactual",
    "Dataset",
    "Direction",
    "Entry",
    "Event",
    "Image",
    "Invitation",
    "Lease",
    "LoginSession",
    "Model",
    "Pair",
    "Reading",
    "Run",
    "SkippedRow",
    "Study",
    "StudyReader",
    "Trial",
    "now",
]
