"""Models: which classifiers and generators there are, how good they are, and bringing an own classifier."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from pages.parts import layout
from pages.parts.model_upload import upload_panel
from pages.parts.who import day, workspace
from services.models import ModelView, list_models

KINDS = {"stylex": "StylEx generator"}


def models_page() -> None:
    models = list_models(workspace())
    layout.heading(
        "Models",
        "Classifiers that are explained, and the generators that draw their counterfactuals. Each is pinned by the "
        "SHA-256 of its file: a changed file is not used.",
    )
    view = st.segmented_control(
        "View", ["Models", "Add a classifier"], default="Models", key="models-view", label_visibility="collapsed"
    )
    if view == "Add a classifier":
        upload_panel()
        return
    if not models:
        layout.empty("No models yet", "Train a classifier on the Runs page, or add your own classifier here.")
        return
    by_id = {model.id: model for model in models}
    classifiers = [model for model in models if model.kind == "classifier"]
    generators = [model for model in models if model.kind != "classifier"]
    st.subheader("Classifiers", anchor=False)
    if classifiers:
        layout.table(
            ["Name", "Classes", "AUC on its test split (95 % interval)", "Trained on", "Input", "SHA-256", "Added"],
            [_classifier_row(model) for model in classifiers],
        )
    else:
        layout.empty("No classifier yet", "Train one on the Runs page, or add your own.")
    st.subheader("Generators", anchor=False)
    if generators:
        layout.table(
            ["Name", "Kind", "For the classifier", "Held-out reconstruction", "Trained on", "SHA-256", "Added"],
            [_generator_row(model, by_id) for model in generators],
        )
    else:
        layout.empty("No generator yet", "A StylEx generator is trained against one classifier, on the Runs page.")
    st.subheader("Card", anchor=False)
    chosen = st.selectbox("Model", list(by_id), format_func=lambda i: by_id[i].name, width=420)
    _card(by_id[chosen])


def _name(model: ModelView) -> str:
    program = layout.chip_of("program", "note") if model.card.get("architecture") == "program" else ""
    return layout.Safe(f"<b>{escape(model.name)}</b> {program}")


def auc_text(card: dict[str, Any]) -> str:
    """ "0.970 (0.958 to 0.981), n = 624", or that nobody has measured it here."""
    test = card.get("test", {})
    if "auc" not in test:
        return "not measured here"
    text = f"{test['auc']:.3f}"
    if "auc_low" in test:
        text += f" ({test['auc_low']:.3f} to {test['auc_high']:.3f})"
    return f"{text}, n = {_spaced(test['n'])}" if "n" in test else text


def _spaced(n: float) -> str:
    return f"{n:,.0f}".replace(",", " ")


def _trained_on(card: dict[str, Any]) -> str:
    if "dataset" not in card:
        return "unknown (brought from elsewhere)" if card.get("origin") else "–"
    seen = card.get("images_seen")
    return str(card["dataset"]) if seen is None else f"{card['dataset']}, {_spaced(seen)} images seen"


def _size(card: dict[str, Any]) -> str:
    size = card.get("size")
    return " × ".join(str(side) for side in size) if isinstance(size, list) else f"{size} × {size}"


def _classifier_row(model: ModelView) -> tuple[str, ...]:
    card = model.card
    return (
        _name(model),
        ", ".join(card.get("class_names", [])),
        auc_text(card),
        _trained_on(card),
        _size(card),
        layout.short_digest(model.sha256),
        day(model.created_at),
    )


def _generator_row(model: ModelView, by_id: dict[int, ModelView]) -> tuple[str, ...]:
    test = model.card.get("test", {})
    known = [f"{title} {test[key]:.3f}" for key, title in (("l1", "L1"), ("ssim", "SSIM")) if key in test]
    classifier = by_id.get(model.classifier_id) if model.classifier_id else None
    return (
        _name(model),
        KINDS.get(model.kind, model.kind),
        classifier.name if classifier else "–",
        ", ".join(known) or "not measured",
        _trained_on(model.card),
        layout.short_digest(model.sha256),
        day(model.created_at),
    )


def _card(model: ModelView) -> None:
    card = model.card
    test = {key: value for key, value in card.get("test", {}).items() if isinstance(value, int | float)}
    if test:
        layout.figures(
            [(f"{value:.3f}" if isinstance(value, float) else f"{value}", key) for key, value in test.items()]
        )
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
    st.caption(f"SHA-256 {model.sha256}")
    st.json(card, expanded=False)


models_page()
