"""One question of every kind, and answers that fit each."""

from cfcore.study.questions import (
    Choice,
    Condition,
    Confidence,
    ForcedChoice,
    FreeText,
    Likert,
    Mark,
    Number,
    Presence,
    SameDifferent,
    Sides,
    VisualAnalogue,
)

EACH = (
    Sides(key="lines", text="New lines"),
    Presence(key="device", text="A device was there", ask="series"),
    Likert(key="quality", text="Image quality", points=7),
    VisualAnalogue(key="change", text="How much differs?"),
    ForcedChoice(key="real", text="Which one is real?", right="original"),
    SameDifferent(key="person", text="Same person?"),
    Choice(key="lobe", text="Which lobe?", options=("upper", "lower")),
    Number(key="ratio", text="Heart width", unit="mm", high=300, decimals=1),
    FreeText(key="why", text="Why?", required=False, only_if=Condition("person", ("different",))),
    Mark(key="where", text="Where?", shape="box", most=3),
    Confidence(key="sure", text="How sure?"),
)
GOOD = {
    "lines": ["A", "B", "both", "neither", "cannot"],
    "device": ["present", "absent", "cannot"],
    "quality": [1, 7],
    "change": [0, 100],
    "real": ["A", "B"],
    "person": ["same", "different"],
    "lobe": ["upper"],
    "ratio": [0, 12.5, 300],
    "why": ["because 🫁 العربية"],
    "where": [[], [{"side": "B", "points": [[0, 0], [80, 96]]}]],
    "sure": [{"ctr": 5}],
}
