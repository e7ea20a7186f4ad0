"""The card of a model in the field's terms: how good it is, on what it was trained, what to beware of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import streamlit as st

from cfcore.classifiers.architectures import TITLES
from cfcore.reports.numbers import decimal, percent
from cfcore.wording import counted, spaced
from pages.parts import layout
from services.models import ModelView

# Key of a card's measurements -> what it is called, and how its value is written.
_MEASURES: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "auc": ("AUC", lambda value: decimal(value, 3)),
    "macro_auc": ("macro AUC", lambda value: decimal(value, 3)),
    "accuracy": ("accuracy", lambda value: percent(value, 1)),
    "calibration_error": ("calibration error", lambda value: decimal(value, 3)),
    "brier": ("Brier score", lambda value: decimal(value, 3)),
    "l1": ("L1 of the reconstruction, grey values 0 to 1", lambda value: decimal(value, 3)),
    "l1_moved": ("L1 from image to counterfactual", lambda value: decimal(value, 3)),
    "l1_first": ("L1 from image to first counterfactual", lambda value: decimal(value, 3)),
    "l1_mirror": ("L1 from image to mirror image (k = 1)", lambda value: decimal(value, 3)),
    "validity": ("reach the target class", lambda value: percent(value, 1)),
    "first_validity": ("have a first counterfactual", lambda value: percent(value, 1)),
    "confidence_error": ("|intended − obtained confidence|", lambda value: decimal(value, 3)),
    "ssim": ("SSIM", lambda value: decimal(value, 3)),
    "agreement": ("keep their class", lambda value: percent(value, 1)),
}
# They stand beside another measurement or above all of them.
_COUNTS = ("n", "positives")
_ARCHITECTURES = TITLES | {"program": "a program (see below)"}


def quality_text(test: Mapping[str, Any]) -> str:
    """ "AUC 0.991 (95 % CI 0.985 to 0.997), n = 347" of a classifier of two classes, its accuracy in the same way of
    one of more, or that nobody has measured it here."""
    key = next((key for key in ("auc", "accuracy") if key in test), None)
    if key is None:
        return "not measured here"
    text = f"{_MEASURES[key][0]} {_write(key, test[key])}"
    low, high = test.get(f"{key}_low"), test.get(f"{key}_high")
    if low is not None and high is not None:
        text += f" (95 % CI {_write(key, low)} to {_write(key, high)})"
    return text + _n_of(test)


def reconstruction_text(test: Mapping[str, Any]) -> str:
    """ "L1 0.030, SSIM 0.824, class kept 97.9 %, n = 1 200", or that nobody has measured it here."""
    known = [f"{name} {_write(key, test[key])}" for key, name in (("l1", "L1"), ("ssim", "SSIM")) if key in test]
    if "agreement" in test:
        known.append(f"class kept {_write('agreement', test['agreement'])}")
    return ", ".join(known) + _n_of(test) if known else "not measured here"


def _n_of(test: Mapping[str, Any]) -> str:
    return f", n = {spaced(test['n'])}" if "n" in test else ""


def _write(key: str, value: Any) -> str:
    if key in _MEASURES:
        return _MEASURES[key][1](value)
    return spaced(value) if isinstance(value, int) else decimal(value, 3)


def measured(test: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(value, what it is) of everything that was measured on a split, the interval beside its value."""
    shown = []
    for key, value in test.items():
        bound = key.endswith(("_low", "_high")) and key.rsplit("_", 1)[0] in test
        if bound or key in _COUNTS or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        name = _MEASURES[key][0] if key in _MEASURES else key.replace("_", " ")
        low, high = test.get(f"{key}_low"), test.get(f"{key}_high")
        if low is not None and high is not None:
            name += f" (95 % CI {_write(key, low)} to {_write(key, high)})"
        shown.append((_write(key, value), name))
    return shown


def input_text(card: Mapping[str, Any]) -> str:
    """ "64 × 64"; a generator has its size in its config."""
    size = card.get("size", card.get("config", {}).get("size") if isinstance(card.get("config"), dict) else None)
    if size is None:
        return "–"
    return " × ".join(str(side) for side in size) if isinstance(size, list) else f"{size} × {size}"


def trained_on(card: Mapping[str, Any]) -> str:
    """The data set of the training; a classifier from elsewhere does not tell."""
    if told := str(card.get("dataset", "")):
        return told[0].upper() + told[1:]
    return "unknown (brought from elsewhere)" if card.get("origin") else "–"


def facts(model: ModelView, classifier: str | None) -> list[tuple[str, str]]:
    """(what, value) about a model, without the measurements; what the card does not tell is left out."""
    card = model.card
    architecture = str(card.get("architecture", ""))
    hours = card.get("hours")
    found = [
        ("Explains the classifier", classifier or ""),
        ("Architecture", _ARCHITECTURES.get(architecture, architecture)),
        ("Classes", ", ".join(str(name) for name in card.get("class_names", card.get("classes", [])))),
        ("Picture size", f"{input_text(card)} pixels"),
        ("Trained on", trained_on(card)),
        ("Images seen in training", spaced(card["images_seen"]) if "images_seen" in card else ""),
        ("Time of training", f"{hours:.2g} h" if isinstance(hours, int | float) else ""),
        ("Weights", str(card.get("weights", ""))),
        ("Seed", str(card.get("seed", ""))),
        ("Validation split", _on_validation(card.get("val", {}))),
        ("Beware", str(card.get("traps", ""))),
        ("Note", str(card.get("note", ""))),
        ("Source of the images", str(card.get("attribution", ""))),
        ("Command", str(card.get("command", ""))),
        ("SHA-256", model.sha256),
    ]
    return [(what, value) for what, value in found if value]


def _on_validation(val: Mapping[str, Any]) -> str:
    if "auc" in val or "accuracy" in val:
        return quality_text(val)
    return reconstruction_text(val) if val else ""


def card_panel(model: ModelView, classifier: str | None) -> None:
    """Everything that is known about one model; `classifier` is the name of the one that a generator explains."""
    card, test = model.card, model.card.get("test", {})
    if figures := measured(test):
        layout.figures(figures)
        positives = f", {spaced(test['positives'])} of them positive" if "positives" in test else ""
        if "n" in test:
            st.caption(f"On the test split: {counted(test['n'], 'image')}{positives}.")
    else:
        st.caption("Nobody has measured this model here: `cfreader evaluate` does, on any imported data set.")
    if card.get("architecture") == "program":
        st.warning(
            "This classifier is a program that somebody brought. It runs only in a child process without secrets, "
            "database and network, with limits on time and memory, and only while its file has the SHA-256 below.",
            icon=":material/warning:",
        )
        held = "".join(f"<li>{escape(line)}</li>" for line in card.get("protections", []))
        layout.html(f"What held it on this server when it was added:<ul>{held}</ul>")
    for remark in card.get("remarks", []):
        st.info(remark)
    rows = [(layout.unbroken(what), _wrapped(what, value)) for what, value in facts(model, classifier)]
    layout.table(["About", ""], rows)
    with st.expander("The whole card (JSON): settings, versions, every figure"):
        st.json(card, expanded=1)


def _wrapped(what: str, value: str) -> str:
    """Commands and digests in a typewriter face, broken anywhere rather than pushing the page wide."""
    if what not in ("Command", "SHA-256"):
        return value
    return layout.Safe(f'<span class="digest" style="overflow-wrap:anywhere">{escape(value)}</span>')
