"""Starting a run: what to do, with which data and models, towards which class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cfcore.rendering import EXPLAINED, RENDERINGS
from cfcore.wording import counted
from pages.parts import layout
from pages.parts.run_state import ENGINE_TITLES, KINDS
from pages.parts.who import actor, workspace
from services.dataset_views import patients_by_split
from services.datasets import DatasetView, list_datasets
from services.models import ModelView, list_models
from services.runs import moves_an_image, start_run

SPLITS = ("test", "val", "train")


@st.dialog("New run", width="large")
def new_run() -> None:
    """A dialog that ends with a queued run."""
    datasets = list_datasets(workspace())
    if not datasets:
        layout.empty("No images yet", "A run needs a data set. Import radiographs or make phantoms first.")
        st.page_link("pages/data.py", label="Go to Data", icon=":material/arrow_forward:")
        return
    kind = st.segmented_control("What to do", list(KINDS), format_func=KINDS.__getitem__, default="explain")
    dataset = st.selectbox("Data set", datasets, format_func=lambda d: f"{d.name} ({counted(d.images, 'image')})")
    classifiers = list_models(workspace(), "classifier")
    if kind == "explain":
        explain_form(dataset, classifiers)
    elif kind == "train classifier":
        classifier_form(dataset)
    elif kind == "train stylex":
        stylex_form(dataset, classifiers)


def explain_form(dataset: DatasetView, classifiers: Sequence[ModelView]) -> None:
    generators = list_models(workspace(), "stylex")
    usable = [c for c in classifiers if any(g.classifier_id == c.id for g in generators)]
    if not usable:
        layout.empty(
            "No trained pair of classifier and generator",
            "EigenFind and AttFind move along directions of a StylEx generator that was trained against the "
            "classifier. Train one first (“Train a StylEx generator” above).",
        )
        return
    engine = st.segmented_control(
        "Method",
        list(ENGINE_FORMS),
        format_func=ENGINE_TITLES.__getitem__,
        default="eigenfind",
        required=True,
        help="EigenFind moves along eigenvectors of all style weights, AttFind moves one style coordinate at a time",
    )
    left, right = st.columns(2)
    with left:
        classifier = st.selectbox("Classifier", usable, format_func=lambda m: m.name)
        own = [g for g in generators if g.classifier_id == classifier.id]
        generator = st.selectbox("Generator", own, format_func=lambda m: m.name)
    names = [str(name) for name in classifier.card.get("class_names", [])]
    with right:
        target = st.selectbox("Target class", names, index=len(names) - 1, help="The class that images are moved to")
        sources = [name for name in names if name != target]
        predicted = st.selectbox("Images that the classifier calls", sources, help="One image of each patient")
    with st.container(horizontal=True):
        count = st.container()
        split = st.selectbox(
            "Split", [s for s in SPLITS if s in dataset.splits], format_func=lambda s: split_word(dataset, s)
        )
        n = image_count(count, "Images to explain", 30, dataset, split)
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, help="Draws the images; the same seed draws the same ones")
    with st.expander("Search and rendering"):
        config = ENGINE_FORMS[engine]()
        fits = [s for s in ("val", "train", "test") if s in dataset.splits]
        with st.container(horizontal=True):
            count = st.container()
            fit_split = st.selectbox("from split", fits, format_func=lambda s: split_word(dataset, s))
            fit_n = image_count(count, "Images to rank directions on", 32, dataset, fit_split)
        rendering = st.radio(
            "Rendering",
            RENDERINGS,
            captions=[EXPLAINED[name] for name in RENDERINGS],
            format_func=str.capitalize,
        )
    settings = {
        "engine": engine,
        "target": target,
        "images": {"split": split, "n": int(n), "seed": int(seed), "predicted": predicted},
        "fit_split": fit_split,
        "fit_n": int(fit_n),
        "rendering": rendering,
        "config": config,
    }
    if moves := int(fit_n) * moves_an_image(engine, config, generator.card):
        st.caption(
            f"The search draws and classifies up to {counted(moves, 'moved image')}: one image of each patient in "
            f"{fit_split} that the classifier calls {predicted}, at most {fit_n}."
        )
    proposal = f"{ENGINE_TITLES[engine].rsplit(maxsplit=1)[-1]}, {target}"
    finish("explain", proposal, settings, int(seed), dataset, classifier.id, generator.id)


def image_count(
    place: st.delta_generator.DeltaGenerator, label: str, proposal: int, dataset: DatasetView, split: str
) -> int:
    """A number field that goes no further than the split has patients: one image of each is taken."""
    most = patients_by_split(workspace(), dataset.id).get(split, 1)
    told = f"At most {counted(most, 'patient')}: one image of each in {split}, if the classifier calls it so"
    return int(place.number_input(label, 1, most, min(proposal, most), help=told))


def eigenfind_settings() -> dict[str, Any]:
    """Fields of EigenFind's Config, with what they mean."""
    with st.container(horizontal=True):
        scan = st.number_input(
            "scan", 1, 512, 20, help="Eigenvectors searched, both signs each. 8: Algorithm 1; 20: what the authors ran."
        )
        k = st.number_input("k", 1, 512, 8, help="(eigenvector, sign) pairs kept, in order of the mean logit change.")
        degree = st.number_input("degree", 0.1, 100.0, 10.0, 0.5, help="How far an image is moved along a unit vector.")
        basis = st.selectbox(
            "basis",
            ["sefa", "style"],
            help="sefa: singular vectors of the style weights (what the authors ran). style: principal components of "
            "the style activations.",
        )
    consistent = st.checkbox("Drop eigenvectors whose two signs both raise the logit")
    config = {"scan": int(scan), "k": int(k), "degree": float(degree), "basis": basis, "consistent": consistent}
    if not advanced("Off: every direction is measured on every image, with the encoder's code."):
        return config
    with st.container(horizontal=True):
        race = st.number_input(
            "race",
            0.0,
            10.0,
            0.0,
            0.5,
            help="Stop measuring a direction once it lies so many standard errors below the k-th best. 3 keeps the "
            "same directions in nearly every search and saves more than half of the time. 0: measure all.",
        )
        prerank = st.number_input(
            "prerank",
            0,
            2 * int(scan),
            0,
            help="Measure only so many pairs: those with the largest first-order effect, by one backward pass an "
            "image. At degree 10 this loses good directions; race seldom does. 0: measure all.",
        )
        halving = st.number_input(
            "halving",
            0,
            4,
            0,
            help="Successive halving: after each further eighth of the images the worse half of the directions is "
            "dropped, so many times. Without race. 0: none.",
        )
    short = {"race": float(race), "prerank": int(prerank), "halving": int(halving)}
    return config | short | {"refine": refinement()}


def advanced(told: str) -> bool:
    return st.toggle("Short cuts and refinement", help=told)


def refinement() -> int:
    """Steps by which an image's code is refined."""
    return int(
        st.number_input(
            "refine, steps",
            0,
            1000,
            0,
            10,
            help="So many optimiser steps bring each image's code closer to the image (every layer its own) before it "
            "is searched and explained: sharper reconstructions, a second or two an image for 60 steps. 0: the "
            "encoder's code.",
        )
    )


def attfind_settings() -> dict[str, Any]:
    """Fields of AttFind's Config, with what they mean."""
    with st.container(horizontal=True):
        verified = st.number_input(
            "verified, %",
            0.5,
            100.0,
            4.0,
            0.5,
            help="Gradients rank all moves by one pass an image; the best of them, so many per cent, are drawn and "
            "classified. 100: every coordinate in both directions, as in the paper; takes long.",
        )
        k = st.number_input("k", 1, 512, 10, help="(coordinate, direction) pairs kept, by the mean logit change.")
        degree = st.number_input(
            "degree",
            0.1,
            10.0,
            1.0,
            0.1,
            help="1: all the way to the lowest or highest value of the training images; more leaves their range.",
        )
        selection = st.selectbox(
            "selection",
            ["subset", "independent"],
            help="subset: pairs are added, the most helpful first, until the image flips (at most 10). independent: "
            "the first kept pair that flips it alone; few single coordinates do.",
        )
    config = {"k": int(k), "degree": float(degree), "selection": selection, "verified": float(verified) / 100}
    return config | ({"refine": refinement()} if advanced("Off: the encoder's code is explained.") else {})


ENGINE_FORMS = {"eigenfind": eigenfind_settings, "attfind": attfind_settings}


def classifier_form(dataset: DatasetView) -> None:
    labels = list(dataset.labels)
    if len(labels) < 2:
        layout.empty(
            "Too few labels", f"“{dataset.name}” has {counted(len(labels), 'label')}; a classifier tells two apart."
        )
        return
    left, right = st.columns(2)
    count = dataset.labels.__getitem__
    positive = left.selectbox("Positive label", labels, format_func=lambda name: f"{name} ({count(name)})")
    rest = "All other images"
    negative = right.selectbox("Against", [rest, *[name for name in labels if name != positive]])
    with st.expander("Training"), st.container(horizontal=True):
        size = st.selectbox("Pixels", [64, 128, 224], help="Images are resampled to squares of this size")
        iterations = st.number_input("Iterations", 10, 100_000, 700, 50)
        batch = st.number_input("Batch", 2, 256, 32)
        seed = st.number_input("Seed", 0, 2**31 - 1, 0)
    settings = {
        "positive": positive,
        "negative": None if negative == rest else negative,
        "size": int(size),
        "iterations": int(iterations),
        "batch": int(batch),
    }
    finish("train classifier", f"{positive}, DenseNet-121", settings, int(seed), dataset)


def stylex_form(dataset: DatasetView, classifiers: Sequence[ModelView]) -> None:
    if not classifiers:
        layout.empty("No classifier yet", "StylEx is trained against a classifier: train one first.")
        return
    classifier = st.selectbox("Classifier to explain", classifiers, format_func=lambda m: m.name)
    with st.expander("Training"), st.container(horizontal=True):
        iterations = st.number_input("Iterations", 10, 1_000_000, 6000, 500, help="The paper: 40,000 of batch 32")
        batch = st.number_input("Batch", 2, 256, 16)
        adversarial = st.number_input(
            "Adversarial from", 0, 1_000_000, 4000, 500, help="Iteration at which the GAN terms join; the paper: 0"
        )
        seed = st.number_input("Seed", 0, 2**31 - 1, 0)
    settings = {
        "iterations": int(iterations),
        "batch": int(batch),
        "losses": {"adversarial_from": int(adversarial), "classifier_every": 2},
    }
    st.caption("On a CPU this takes hours; it can be cancelled and resumed, and sample grids appear on the run's page.")
    finish("train stylex", f"{classifier.name}, StylEx", settings, int(seed), dataset, classifier.id)


def finish(
    kind: str,
    proposal: str,
    settings: dict[str, Any],
    seed: int,
    dataset: DatasetView,
    classifier_id: int | None = None,
    generator_id: int | None = None,
) -> None:
    """Name and start button."""
    name = st.text_input("Name", placeholder=proposal) or proposal
    if st.button("Start", type="primary", icon=":material/play_arrow:"):
        try:
            start_run(workspace(), kind, name, settings, seed, dataset.id, classifier_id, generator_id, actor=actor())
        except ValueError as error:
            text = str(error)
            st.error(text[0].upper() + text[1:] + ".")
            return
        st.rerun()


def split_word(dataset: DatasetView, split: str) -> str:
    return f"{split} ({dataset.splits[split]})"
