"""Starting a run: what to do, with which data and models, towards which class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cfcore.classifiers.architectures import MANY, TITLES, WIDE
from cfcore.engines.catalogue import METHODS, Method
from cfcore.generators import registry as generators
from cfcore.generators.registry import GeneratorKind
from cfcore.rendering import EXPLAINED, RENDERINGS
from cfcore.settings import settings_of
from cfcore.wording import counted
from pages.parts import layout
from pages.parts.setting_fields import ask
from pages.parts.who import actor, workspace
from services import run_kinds
from services.dataset_views import patients_by_split
from services.datasets import DatasetView, list_datasets
from services.ground_truth import GroundTruth
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
    kinds = [kind for kind, entry in run_kinds.RUN_KINDS.items() if entry.start == "form"]
    kind = st.segmented_control("What to do", kinds, format_func=run_kinds.title_of, default="explain", required=True)
    dataset = st.selectbox("Data set", datasets, format_func=lambda d: f"{d.name} ({counted(d.images, 'image')})")
    classifiers = list_models(workspace(), "classifier")
    if kind == "explain":
        explain_form(dataset, classifiers)
    elif kind == "train classifier":
        classifier_form(dataset)
    elif trained := run_kinds.generator_trained(kind):
        generator_form(generators.GENERATORS[trained], dataset, classifiers)


def explain_form(dataset: DatasetView, classifiers: Sequence[ModelView]) -> None:
    trained = [model for model in list_models(workspace()) if model.kind != "classifier"]
    pairs = {name: usable_pairs(method, classifiers, trained) for name, method in METHODS.items()}
    methods = list(METHODS)
    first = next((name for name, found in pairs.items() if found), methods[0])
    engine = st.selectbox("Method", methods, methods.index(first), format_func=lambda name: METHODS[name].title)
    about = METHODS[engine].about
    st.caption(f"{about[0].upper()}{about[1:]}.")
    method = METHODS[engine]
    # Those that tell what the data set is labelled with come first: no brain classifier for chests.
    usable = sorted(pairs[engine], key=lambda pair: not knows_a_label(pair[0], dataset))
    if not usable:
        nothing_usable(method)
        return
    left, right = st.columns(2)
    with left:
        classifier = st.selectbox("Classifier", [c for c, _ in usable], format_func=lambda m: m.name)
        own = next(found for c, found in usable if c.id == classifier.id)
        generator = st.selectbox("Generator", own, format_func=lambda m: m.name) if own else None
    warn_of_strangers(classifier, dataset)
    names = [str(name) for name in classifier.card.get("class_names", [])]
    with right:
        target = st.selectbox("Target class", names, index=len(names) - 1, help="The class that images are moved to")
        sources = [name for name in names if name != target]
        predicted = st.selectbox("Images that the classifier calls", sources, help="One image of each patient")
        case = case_of(classifier, dataset, target)
    with st.container(horizontal=True):
        count = st.container()
        split = st.selectbox(
            "Split", [s for s in SPLITS if s in dataset.splits], format_func=lambda s: split_word(dataset, s)
        )
        n = image_count(count, "Images to explain", 30, dataset, split)
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, help="Draws the images; the same seed draws the same ones")
    with st.expander("Search and rendering"):
        config = ask(method.settings(), engine, method.groups())
        fit = fit_images(method, dataset)
        rendering = st.radio(
            "Rendering",
            RENDERINGS,
            captions=[EXPLAINED[name] for name in RENDERINGS],
            format_func=str.capitalize,
        )
    settings = {
        "engine": engine,
        "target": target,
        "images": {"split": split, "n": int(n), "seed": int(seed), "predicted": predicted, "case": case},
        **fit,
        "rendering": rendering,
        "config": config,
    }
    if fit and (moves := fit["fit_n"] * moves_an_image(engine, config, generator.card if generator else {})):
        st.caption(
            f"The search draws and classifies up to {counted(moves, 'moved image')}: one image of each patient in "
            f"{fit['fit_split']} that the classifier calls {predicted}, at most {fit['fit_n']}."
        )
    generator_id = generator.id if generator else None
    finish("explain", f"{method.short}, {target}", settings, int(seed), dataset, classifier.id, generator_id)


def case_of(classifier: ModelView, dataset: DatasetView, target: str) -> str:
    """Whether the classifier is to be right or wrong about the images; asked where the labels tell."""
    truths = GroundTruth.of(classifier.card.get("class_names", []), classifier.card)
    if not truths.known_by(dataset.labels):
        return "all"
    words = {"all": "Right or wrong", "correct": "Right", "error": f"Wrong: by their labels they are {target}"}
    told = "By the labels. A wrong image is led to its ground truth: what would make it right?"
    return str(st.selectbox("The classifier is", list(words), format_func=words.__getitem__, help=told))


def fit_images(method: Method, dataset: DatasetView) -> dict[str, Any]:
    """The settings that say on which images the method ranks its directions; none where it asks for none."""
    if not method.fit_images:
        return {}
    fits = [s for s in ("val", "train", "test") if s in dataset.splits]
    with st.container(horizontal=True):
        count = st.container()
        split = st.selectbox("from split", fits, format_func=lambda s: split_word(dataset, s))
        n = image_count(count, "Images to rank directions on", 32, dataset, split)
    return {"fit_split": split, "fit_n": n}


def knows_a_label(classifier: ModelView, dataset: DatasetView) -> bool:
    """Whether one of the classifier's classes, but for its first (the healthy one), is a label of the data set."""
    return any(name in dataset.labels for name in classifier.card.get("class_names", [])[1:])


def warn_of_strangers(classifier: ModelView, dataset: DatasetView) -> None:
    if not knows_a_label(classifier, dataset):
        st.warning(f"{classifier.name} was not trained for any label of “{dataset.name}”.", icon=":material/warning:")


def usable_pairs(
    method: Method, classifiers: Sequence[ModelView], trained: Sequence[ModelView]
) -> list[tuple[ModelView, list[ModelView]]]:
    """The classifiers that a method can explain, each with its generators of the kind needed; none where none is."""
    if method.generator_kind is None:
        return [(classifier, []) for classifier in classifiers]
    fit = [model for model in trained if model.kind == method.generator_kind]
    found = [(classifier, [g for g in fit if g.classifier_id == classifier.id]) for classifier in classifiers]
    return [(classifier, own) for classifier, own in found if own]


def nothing_usable(method: Method) -> None:
    if method.generator_kind is None:
        layout.empty("No classifier yet", f"{method.title} explains a classifier: train or add one first.")
        return
    title = generators.title_of(method.generator_kind)
    layout.empty(
        "No trained pair of classifier and generator",
        f"{method.title} needs a {title} generator that was trained against the classifier. Train one first "
        f"(“{run_kinds.title_of(run_kinds.TRAIN + method.generator_kind)}” above).",
    )


def image_count(
    place: st.delta_generator.DeltaGenerator, label: str, proposal: int, dataset: DatasetView, split: str
) -> int:
    """A number field that goes no further than the split has patients: one image of each is taken."""
    most = patients_by_split(workspace(), dataset.id).get(split, 1)
    told = f"At most {counted(most, 'patient')}: one image of each in {split}, if the classifier calls it so"
    return int(place.number_input(label, 1, most, min(proposal, most), help=told))


def classifier_form(dataset: DatasetView) -> None:
    labels = list(dataset.labels)
    if len(labels) < 2:
        layout.empty(
            "Too few labels", f"“{dataset.name}” has {counted(len(labels), 'label')}; a classifier tells two apart."
        )
        return
    asked, proposal = classes_form(dataset, labels)
    several = len(asked.get("classes", ())) > 2
    with st.expander("Training"), st.container(horizontal=True):
        size = st.selectbox("Pixels", [64, 128, 224, 28], help="Images are resampled to squares of this size")
        networks = [name for name in TITLES if name in MANY or (not several and size != 28)]
        architecture = st.selectbox("Network", networks, format_func=TITLES.__getitem__)
        width = 1.0
        if architecture in WIDE:
            width = st.number_input("Width", 0.05, 4.0, 1.0, 0.05, help="Factor on the channels; 1: as published")
        iterations = st.number_input("Iterations", 10, 100_000, 700, 50)
        batch = st.number_input("Batch", 2, 256, 32)
        seed = st.number_input("Seed", 0, 2**31 - 1, 0)
    if "classes" in asked and len(asked["classes"]) < 2:
        st.caption("Choose two classes or more.")
        return
    settings = asked | {
        "architecture": architecture,
        "width": float(width),
        "size": int(size),
        "iterations": int(iterations),
        "batch": int(batch),
    }
    finish("train classifier", f"{proposal}, {TITLES[architecture]}", settings, int(seed), dataset)


def classes_form(dataset: DatasetView, labels: list[str]) -> tuple[dict[str, Any], str]:
    """The classes to tell apart, as the settings of a training have them, and a short name for them."""
    count = dataset.labels.__getitem__
    one, several = "One label", "Several labels"
    kind = one
    if len(labels) > 2:
        kind = st.segmented_control("Tell apart", [one, several], default=one, required=True)
    if kind == several:
        chosen = st.multiselect("Classes", labels, labels, format_func=lambda name: f"{name} ({count(name)})")
        st.caption("Every image must carry exactly one of them; images of other labels are left out.")
        return {"classes": chosen}, dataset.name if chosen == labels else "/".join(chosen)
    left, right = st.columns(2)
    positive = left.selectbox("Positive label", labels, format_func=lambda name: f"{name} ({count(name)})")
    rest = "All other images"
    negative = right.selectbox("Against", [rest, *[name for name in labels if name != positive]])
    return {"positive": positive, "negative": None if negative == rest else negative}, positive


def generator_form(kind: GeneratorKind, dataset: DatasetView, classifiers: Sequence[ModelView]) -> None:
    if not classifiers:
        layout.empty("No classifier yet", f"{kind.title} is trained against a classifier: train one first.")
        return
    usable = [model for model in classifiers if not kind.misfit(model.card)]
    usable.sort(key=lambda model: not knows_a_label(model, dataset))
    left_out = [f"{model.name} {kind.misfit(model.card)}" for model in classifiers if kind.misfit(model.card)]
    if not usable:
        layout.empty("No classifier that fits", f"{kind.title} cannot be trained here: {'; '.join(left_out)}.")
        return
    classifier = st.selectbox(
        "Classifier to explain",
        usable,
        format_func=lambda m: m.name,
        help=f"Not offered: {'; '.join(left_out)}." if left_out else None,
    )
    warn_of_strangers(classifier, dataset)
    with st.expander("Training"):
        chosen = ask(settings_of(kind.choices), kind.kind)
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, width=200)
    st.caption(kind.note)
    settings, proposal = kind.choices(**chosen).settings(), f"{classifier.name}, {kind.title}"
    finish(run_kinds.TRAIN + kind.kind, proposal, settings, int(seed), dataset, classifier.id)


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
