"""Models: which classifiers and generators there are, how good they are, and bringing an own classifier."""

from __future__ import annotations

from html import escape

import streamlit as st

from cfcore.generators.registry import title_of
from pages.parts import layout
from pages.parts.model_card import card_panel, input_text, quality_text, reconstruction_text, trained_on
from pages.parts.model_upload import upload_panel
from pages.parts.who import day, workspace
from services.models import ModelView, list_models


def models_page() -> None:
    models = list_models(workspace())
    layout.heading(
        "Models",
        "Classifiers that are explained, and the generators that draw their counterfactuals. Each is pinned by the "
        "SHA-256 of its file: a changed file is not used.",
    )
    view = st.segmented_control(
        "View",
        ["Models", "Add a classifier"],
        default="Models",
        key="models-view",
        label_visibility="collapsed",
        required=True,
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
            ["Name", "Classes", "On its test split", "Trained on", "Input", "SHA-256", "Added"],
            [_classifier_row(model) for model in classifiers],
        )
    else:
        layout.empty("No classifier yet", "Train one on the Runs page, or add your own.")
    st.subheader("Generators", anchor=False)
    if generators:
        layout.table(
            ["Name", "Kind", "For the classifier", "Reconstruction, test split", "Trained on", "SHA-256", "Added"],
            [_generator_row(model, by_id) for model in generators],
        )
    else:
        layout.empty("No generator yet", "A generator is trained against one classifier, on the Runs page.")
    st.subheader("Card", anchor=False)
    chosen = st.selectbox("Model", list(by_id), format_func=lambda i: by_id[i].name, width=420)
    model = by_id[chosen]
    explained = by_id.get(model.classifier_id) if model.classifier_id else None
    card_panel(model, explained.name if explained else None)


def _name(model: ModelView) -> str:
    program = layout.chip_of("program", "note") if model.card.get("architecture") == "program" else ""
    return layout.Safe(f"<b>{escape(model.name)}</b> {program}")


def _phrases(text: str) -> str:
    """Broken between its parts only."""
    return layout.Safe(", ".join(layout.unbroken(part) for part in text.split(", ")))


def _classifier_row(model: ModelView) -> tuple[str, ...]:
    card = model.card
    return (
        _name(model),
        ", ".join(card.get("class_names", [])),
        _phrases(quality_text(card.get("test", {}))),
        trained_on(card),
        layout.unbroken(input_text(card)),
        layout.unbroken(layout.short_digest(model.sha256)),
        layout.unbroken(day(model.created_at)),
    )


def _generator_row(model: ModelView, by_id: dict[int, ModelView]) -> tuple[str, ...]:
    classifier = by_id.get(model.classifier_id) if model.classifier_id else None
    return (
        _name(model),
        f"{title_of(model.kind)} generator",
        classifier.name if classifier else "–",
        _phrases(reconstruction_text(model.card.get("test", {}))),
        trained_on(model.card),
        layout.unbroken(layout.short_digest(model.sha256)),
        layout.unbroken(day(model.created_at)),
    )


models_page()
