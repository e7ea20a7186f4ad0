"""Runs and Explore on images that the classifier gets right or wrong, and runs that need no images but those."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
import sqlalchemy as sa
import torch
from torch import Tensor

from db.models import Image, Model
from services import explore_images
from services.explain_settings import ExplainSettings
from services.explore_images import image_choices, truths_known
from services.ground_truth import GroundTruth
from services.images import small_tensor
from services.runs import RunRefused, run_view, start_run
from services.selection import ImageRule, choose_images, shuffled_patients
from services.workspace import Workspace
from tests.services import shift_engine
from tests.services.test_pixel_runs import CASES as SEARCHES
from tests.services.test_runs import OK, explained, finish, rows

ERROR = {"split": "test", "n": 12, "seed": 1, "predicted": "Dark", "case": "error"}


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


@pytest.fixture
def scene(workspace: Workspace) -> dict[str, int]:
    return shift_engine.scene(workspace)


def relabel(workspace: Workspace, labels: list[str], numbers: list[int]) -> list[int]:
    """The ids of images number so and so (1 to 12 are dark, of the test split), which now carry `labels`."""
    with workspace.session() as session:
        found = session.scalars(sa.select(Image).order_by(Image.id)).all()
        for number in numbers:
            found[number].labels = labels
        return [found[number].id for number in numbers]


def ids_of(workspace: Workspace, run_id: int) -> set[int]:
    return {row.image_id for row in rows(workspace, run_id)}


def test_a_run_leads_the_errors_to_their_truth(workspace: Workspace, scene: dict[str, int]) -> None:
    wrong = relabel(workspace, ["Bright"], [2, 5, 7])
    unknown = relabel(workspace, [], [3])
    run_id = explained(workspace, scene, images=ERROR)
    view = run_view(workspace, run_id)
    assert view.state == "done", view.message
    assert ids_of(workspace, run_id) == set(wrong) and view.result["n"] == 3
    # Directions are ranked on images of every case: the validation split has no error.
    assert view.result["fit_n"] == 4
    assert all(row.flipped for row in rows(workspace, run_id)), "at their truth"
    right = ids_of(workspace, explained(workspace, scene, images=ERROR | {"case": "correct"}))
    assert len(right) == 12 - 3 - 1 and right.isdisjoint({*wrong, *unknown})
    every = ids_of(workspace, explained(workspace, scene, images=ERROR | {"case": "all"}))
    assert every == right | {*wrong, *unknown}


def test_an_error_is_found_among_all_images_of_a_patient(workspace: Workspace, scene: dict[str, int]) -> None:
    """Twelve images of one patient, one of them wrong: whatever the order, it is the one that is taken."""
    with workspace.session() as session:
        for image in session.scalars(sa.select(Image).where(Image.split == "test")):
            image.patient = "one"
    (wrong,) = relabel(workspace, ["Bright"], [5])
    for seed in range(4):
        run_id = explained(workspace, scene, images=ERROR | {"seed": seed})
        assert ids_of(workspace, run_id) == {wrong}
    relabel(workspace, ["Bright"], [2, 7])
    assert len(ids_of(workspace, explained(workspace, scene, images=ERROR))) == 1, "one of a patient"


class Thirds(shift_engine.Brightness):
    """ "Dark" where the mean is below 0.19, "Bright" above 0.6, else "Gray"."""

    class_names = ("Dark", "Gray", "Bright")

    def logits(self, images: Tensor) -> Tensor:
        mean = images.mean(dim=(1, 2, 3))
        return 20 * torch.stack([0.19 - mean, 0 * mean, mean - 0.6], dim=1)


def test_of_three_classes_an_error_is_of_the_target_class(workspace: Workspace, scene: dict[str, int]) -> None:
    classifier, truths = Thirds(), GroundTruth(Thirds.class_names, True)
    for label, numbers in (("Bright", [1, 2]), ("Gray", [6, 7])):
        relabel(workspace, [label], numbers)
    relabel(workspace, ["Bright", "Gray"], [10])
    pool = shuffled_patients(workspace, scene["dataset"], "test", 0)
    said = classifier.logits(small_tensor(workspace, pool, classifier.size)).argmax(dim=1).tolist()
    # By what an image is and what it is called; (2, 0) is an image of "Bright" that is called "Dark".
    kinds: dict[tuple[int | None, int], set[int]] = defaultdict(set)
    for image, called in zip(pool, said, strict=True):
        kinds[truths.class_of(image.labels), called].add(image.id)
    assert all(kinds[kind] for kind in ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)))

    def chosen(case: str, target: int, predicted: str | None = None) -> set[int]:
        rule = ImageRule("test", 99, 0, predicted, case)
        found = choose_images(workspace, scene["dataset"], classifier, rule, target, lambda *_: None, truths)
        return {image.id for image in found}

    assert chosen("error", 2) == kinds[2, 0] | kinds[2, 1] and chosen("error", 2, "Gray") == kinds[2, 1]
    assert chosen("error", 1) == kinds[1, 0], "those that are Bright would not be right as Gray"
    assert chosen("correct", 2) == kinds[0, 0] | kinds[1, 1] and chosen("correct", 2, "Dark") == kinds[0, 0]
    with pytest.raises(ValueError, match="2 images of theirs Gray by the labels, and the classifier calls none"):
        chosen("error", 1, "Bright")
    with pytest.raises(ValueError, match="the case 'error' asks for the ground truth"):
        choose_images(
            workspace, scene["dataset"], classifier, ImageRule("test", 1, 0, None, "error"), 2, lambda *_: None
        )


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("error", "1 image of theirs Bright by the labels, and the classifier calls none of these Dark: no image"),
        ("correct", "0 of them known not to be Bright, and the classifier calls none of these Dark rightly"),
    ],
)
def test_no_image_of_the_case_fails_with_a_way_out(
    workspace: Workspace, scene: dict[str, int], case: str, message: str
) -> None:
    relabel(workspace, [], list(range(1, 13)))
    view = run_view(workspace, explained(workspace, scene, images=ERROR | {"case": case}))
    assert view.state == "failed" and message in view.message and "choose another" in view.message


def test_labels_of_other_classes_and_unknown_cases_are_refused(workspace: Workspace, scene: dict[str, int]) -> None:
    def start(case: str) -> int:
        images = ERROR | {"case": case}
        return start_run(workspace, "explain", "r", OK | {"images": images}, 0, scene["dataset"], scene["classifier"])

    with pytest.raises(RunRefused, match="no case 'odd': choose one of all, correct, error"):
        start("odd")
    relabel(workspace, ["Dark"], [0])
    with pytest.raises(RunRefused, match="no image of 'squares' is labelled Bright, so their ground truth is unknown"):
        start("error")
    run_id = start("all")
    with workspace.session() as session:
        session.get_one(Model, scene["classifier"]).card = {}
    finish(workspace, run_id)
    assert run_view(workspace, run_id).state == "done"
    late = start("error")
    finish(workspace, late)  # a card that names no classes: what the network itself says is known to the worker alone
    assert "image of 'squares' is labelled Bright, so their ground" in run_view(workspace, late).message


def test_explore_lists_the_images_that_the_classifier_gets_wrong(workspace: Workspace, scene: dict[str, int]) -> None:
    wrong, unknown = relabel(workspace, ["Bright"], [2, 5, 14]), relabel(workspace, [], [3])
    run_id = explained(workspace, scene)
    every = {one.id: one.right for one in image_choices(workspace, run_id, limit=99).images}
    assert every[unknown[0]] is None and [key for key, right in every.items() if right is False] == sorted(wrong)
    found = image_choices(workspace, run_id, case="error")
    assert {one.id for one in found.images} == set(wrong) and found.total == len(every)
    assert [one.id for one in image_choices(workspace, run_id, "val", case="error").images] == wrong[2:]
    assert image_choices(workspace, run_id, predicted="Bright", case="error").images == ()
    right = {one.id for one in image_choices(workspace, run_id, limit=99, case="correct").images}
    assert right == every.keys() - {*wrong, *unknown} and len(right) == len(every) - 4
    with pytest.raises(ValueError, match="no case 'odd'"):
        image_choices(workspace, run_id, case="odd")
    assert truths_known(workspace, run_id) == GroundTruth(("Dark", "Bright"), True)
    relabel(workspace, ["Dark"], [0, 2, 5, 14])
    assert truths_known(workspace, run_id) is None and image_choices(workspace, run_id, case="error").images == ()
    assert {one.right for one in image_choices(workspace, run_id).images} == {None}


def test_unknown_truth_takes_no_place_among_the_images_looked_through(
    workspace: Workspace, scene: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = explained(workspace, scene)
    relabel(workspace, [], list(range(1, 24)))
    wrong = relabel(workspace, ["Bright"], [24])
    monkeypatch.setattr(explore_images, "MOST_CLASSIFIED", 2)  # the bright image and this one
    assert [one.id for one in image_choices(workspace, run_id, case="error").images] == wrong
    assert len(image_choices(workspace, run_id).images) == 2


def only_test_images(workspace: Workspace) -> None:
    with workspace.session() as session:
        session.execute(sa.delete(Image).where(Image.split != "test"))


def bare(engine: str, config: dict[str, Any], **images: Any) -> dict[str, Any]:
    """Settings that name no images but those to explain."""
    rule = {"split": "test", "n": 3, "seed": 1, "predicted": "Dark"} | images
    return {"engine": engine, "target": "Bright", "images": rule, "rendering": "plain", "config": config}


@pytest.mark.parametrize("case", ["all", "error"])
def test_a_search_of_single_images_needs_no_others(workspace: Workspace, scene: dict[str, int], case: str) -> None:
    wrong = relabel(workspace, ["Bright"], [2, 5])
    only_test_images(workspace)
    settings = bare(*SEARCHES["PGD"], case=case)
    run_id = start_run(workspace, "explain", "r", settings, 0, scene["dataset"], scene["classifier"])
    finish(workspace, run_id)
    view = run_view(workspace, run_id)
    assert view.state == "done", view.message
    assert view.inputs["fit_images"] == view.inputs["images"] and view.result["fit_n"] == view.result["n"]
    assert (ids_of(workspace, run_id) == set(wrong)) is (case == "error") and view.directions[0].explained == 1


def test_what_ranks_directions_or_names_a_split_still_asks_for_its_images(
    workspace: Workspace, scene: dict[str, int]
) -> None:
    only_test_images(workspace)
    for settings, split in ((bare("gradcam", {}), "val"), (bare(*SEARCHES["PGD"]) | {"fit_split": "train"}, "train")):
        with pytest.raises(RunRefused, match=f"no images in the split '{split}' to rank directions on"):
            start_run(workspace, "explain", "r", settings, 0, scene["dataset"], scene["classifier"])


def test_how_many_of_the_images_the_effect_is_measured_on() -> None:
    few = ExplainSettings.of(bare("expgan", {}, case="error") | {"fit_n": 2})
    assert few.fit == ImageRule("test", 2, 1, "Dark", "error")
    assert ExplainSettings.of(bare("expgan", {})).fit == ImageRule("test", 3, 1, "Dark")
    assert ExplainSettings.of(bare("mirror", {})).fit == ImageRule("val", 64, 1, "Dark")
    named = ExplainSettings.of(bare("expgan", {}, case="error") | {"fit_split": "train"})
    assert named.fit == ImageRule("train", 64, 1, "Dark")
