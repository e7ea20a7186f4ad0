"""Every table of a workspace."""

from .accounts import Account, Invitation, LoginSession
from .base import Base, now
from .datasets import Dataset, Image, SkippedRow
from .desk import ReaderProfile, Rehearsal, StudyDesk, StudyMember
from .elicitation import ElicitationReader, ElicitationRound, Proposal, QuestionTemplate
from .events import Event
from .notebook import Entry
from .reference import Decision, DisputedCase, ReferenceAnswer
from .runs import Counterfactual, Direction, Lease, Model, Run
from .sittings import ScreenCheck, ViewingEvent
from .studies import ExcludedPair, Pair, PlannedTrial, Reading, Study, StudyReader, StudyVersion, Trial

__all__ = [
    "Account",
    "Base",
    "Counterfactual",
    "Dataset",
    "Decision",
    "Direction",
    "DisputedCase",
    "ElicitationReader",
    "ElicitationRound",
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
    "Proposal",
    "QuestionTemplate",
    "ReaderProfile",
    "Reading",
    "ReferenceAnswer",
    "Rehearsal",
    "Run",
    "ScreenCheck",
    "SkippedRow",
    "Study",
    "StudyDesk",
    "StudyMember",
    "StudyReader",
    "StudyVersion",
    "Trial",
    "ViewingEvent",
    "now",
]
