"""Measuring a model on an imported data set."""

from __future__ import annotations

from dataclasses import asdict

from services.datasets import dataset_named
from services.figures import Figures, measured
from services.models import load_classifier, model_named
from services.training import load_split, quality_of
from services.workspace import Workspace


def evaluate_classifier(workspace: Workspace, classifier: str, dataset: str, split: str = "test") -> Figures:
    """AUC with its interval, accuracy and calibration of a classifier on one split of a data set.

    Raises:
        ValueError: no such model or data set, or the split lacks one of the two classes.
    """
    model = model_named(workspace, classifier, "classifier")
    data = dataset_named(workspace, dataset)
    network = load_classifier(workspace, model.id)
    negative, positive = network.class_names[0], network.class_names[1]

    def work() -> dict[str, float]:
        chosen = load_split(
            workspace, data.id, split, network.size[0], positive, negative if negative in data.labels else None
        )
        return {key: float(value) for key, value in asdict(quality_of(network, chosen)).items()}

    settings = {"classifier": classifier, "weights": model.sha256, "dataset": dataset, "split": split}
    return measured("evaluate-classifier", settings, work)
