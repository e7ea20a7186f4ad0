"""Heat maps as methods of a study, beside medXGAN: what stands in the pairs, what readers see, what results call it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.attribution.fills import top_pixels
from cfcore.engines.catalogue import METHODS
from cfcore.images.encode import decode_png
from cfcore.study.design.crossing import crossed
from cfcore.study.protocol import Finding
from db.models import Account, Counterfactual, Image, Pair, Trial
from services import reading
from services.explore import open_engine
from services.foreground import finish_run
from services.images import small_tensor
from services.importing import Row, write_made
from services.invitations import invite_reader
from services.overview import overview
from services.pairs import make_pairs
from services.report.facts import study_facts
from services.results import StudyResults, findings_by_group, results
from services.runs import start_run
from services.studies import close_study, create_study, lock_study, study_view, update_draft
from services.workspace import Workspace, open_workspace

SIDE, PER_ARM, DEGREE = 32, 2, 10.0
SESSION = 7
LATENT = {"search": 20, "steps": 8}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gradcam": ("gradcam", {}),
    "ig": ("ig", {"steps": 10}),
    "lig": ("lig", LATENT),
    "lig path": ("lig", LATENT | {"form": "path"}),
    "medxgan difference": ("medxgan difference", {"search": 20}),
}


@dataclass(frozen=True)
class Scene:
    """Pictures with and without a bright square, networks trained on them for a moment, and a run of medXGAN."""

    workspace: Workspace
    dataset: int
    classifier: int
    generator: int
    medxgan: int

    def explained(self, engine: str, config: dict[str, Any]) -> int:
        return explained(self.workspace, engine, config, (self.dataset, self.classifier, self.generator))


def explained(workspace: Workspace, engine: str, config: dict[str, Any], ids: tuple[int, int, int]) -> int:
    """A finished run that takes the square out of every test image that has one."""
    images = {"split": "test", "n": 10, "seed": 1, "predicted": "Square"}
    settings = {"engine": engine, "target": "No Square", "images": images, "fit_n": 2, "config": config}
    needed = ids if METHODS[engine].generator_kind else ids[:2]
    return finish_run(workspace, start_run(workspace, "explain", f"Try {engine}", settings, 0, *needed)).id


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    workspace = open_workspace(tmp_path_factory.mktemp("arms"))
    rng = np.random.default_rng(0)

    def picture(i: int) -> tuple[np.ndarray, Row]:
        pixels = rng.integers(40, 110, (SIDE, SIDE), dtype=np.uint8)
        if i % 2:
            pixels[10:20, 12:22] += 120
        split = ("train", "train", "val", "test")[i // 2 % 4]
        return pixels, Row(patient=str(i), split=split, labels=["Square" if i % 2 else "No Square"], meta={})

    pictures = (picture(i) for i in range(80))
    dataset = write_made(workspace, "squares", "square", {}, pictures, 80, lambda *_: None, "test").dataset_id
    loop = {"batch": 16, "positive": "Square"}
    small = loop | {"architecture": "small-cnn", "width": 0.25, "size": SIDE, "iterations": 120}
    classifier = trained(workspace, "train classifier", small, dataset)
    networks = {"channels": {4: 16, 8: 16, 16: 8}, "anatomy": 8, "pathology": 2}
    generator = trained(
        workspace, "train medxgan", loop | {"iterations": 60, "networks": networks}, dataset, classifier
    )
    run = explained(workspace, "medxgan", {"steps": 20}, (dataset, classifier, generator))
    yield Scene(workspace, dataset, classifier, generator, run)
    workspace.engine.dispose()


def trained(
    workspace: Workspace, kind: str, settings: dict[str, Any], dataset: int, classifier: int | None = None
) -> int:
    run = start_run(workspace, kind, "Squares", settings, 0, dataset, classifier)
    return int(finish_run(workspace, run).result["model_id"])


@dataclass(frozen=True)
class Compared:
    """A closed study of medXGAN and a heat map. `shown`: all that its reader was given; `sizes`: bytes of each side of
    each case."""

    scene: Scene
    study: int
    engine: str
    run: int
    shown: str
    sizes: set[int]

    @property
    def arms(self) -> dict[str, int]:
        """Arm key -> run."""
        return {"negative": self.scene.medxgan, f"mean@10#{self.run}": self.run}

    @property
    def words(self) -> set[str]:
        """What names a method, an arm, a run or a class."""
        told = {"counterfactual", "original", "heat", "run", "Square", "mean", "negative", "degree"}
        for method in (METHODS["medxgan"], METHODS[self.engine]):
            told |= {method.name, method.title, method.short, f"Try {method.name}"}
        return told


@pytest.fixture(scope="module", params=CASES)
def compared(request: pytest.FixtureRequest, scene: Scene) -> Compared:
    """The study: designed, made, locked, and read by one person who sees the square go under the heat map alone."""
    workspace, (engine, config) = scene.workspace, CASES[request.param]
    run = scene.explained(engine, config | {"fill": "mean", "degree": DEGREE})
    study = create_study(
        workspace, scene.medxgan, actor="ada", n_per_arm=PER_ARM, allocation="same patients", ratings=(),
        findings=(Finding("patch", "Bright patch"),), seed=3,
    )  # fmt: skip
    plan = study_view(workspace, study).protocol
    assert plan.degree == 1.0, "the whole way to the realisation, where no degree is suggested"
    heat = crossed([("mean", "mean")], [DEGREE], run=run)
    assert update_draft(workspace, study, actor="ada", arms=(*plan.arms, *heat)) != (), "no pairs yet"
    assert make_pairs(workspace, study, actor="ada") == 2 * PER_ARM
    assert study_view(workspace, study).problems == ()
    lock_study(workspace, study, actor="ada")
    login = f"{study}@example.org"
    link = invite_reader(workspace, study, login, "A Reader", "ada")
    shown, sizes = read(workspace, login)
    close_study(workspace, study, actor="ada")
    return Compared(scene, study, engine, run, json.dumps([link, *shown]), sizes)


def read(workspace: Workspace, login: str) -> tuple[list[Any], set[int]]:
    """Read every case; all that was given on the way, random names left out, and the bytes of each side."""
    with workspace.session() as session:
        account = session.scalars(sa.select(Account.id).where(Account.login == login)).one()
    (line,) = reading.reading_list(workspace, account)
    plan = reading.progress(workspace, account, line.series, SESSION)
    shown: list[Any] = [line.title, line.label, {**plan, "cases": [case["state"] for case in plan["cases"]]}]
    sizes: set[int] = set()
    for name in (case["token"] for case in plan["cases"]):
        case = reading.case(workspace, account, SESSION, name)
        urls = case["pixels"].pop("urls")
        for side, url in urls.items():
            sizes.add(len(reading.pixels(workspace, account, SESSION, url.split("/")[3], side)))
        shown.append({key: value for key, value in case.items() if key != "token"})
        shown.append(re.sub(r"[^/]{64,}", "", " ".join(urls.values())))
        with workspace.session() as session:
            trial = session.scalars(sa.select(Trial).where(Trial.token == name)).one()
            said = trial.original_side if trial.pair.arm.startswith("mean") else "neither"
        answers = {"findings": {"patch": said}, "ratings": {}, "comment": ""}
        shown.append(reading.save_reading(workspace, account, name, 1, answers, 5.0).feedback)
    return shown, sizes


def sides(workspace: Workspace, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    first, second = (decode_png(workspace.get(key)) for key in (pair.original_key, pair.counterfactual_key))
    return first.astype(int), second.astype(int)


def pairs_of(compared: Compared) -> list[Pair]:
    with compared.scene.workspace.session() as session:
        return list(session.scalars(sa.select(Pair).where(Pair.study_id == compared.study).order_by(Pair.id)))


def test_the_pairs_show_what_the_methods_gave(compared: Compared) -> None:
    """The picture that the run stored of the same image, up to a grey value: another batch rounds otherwise."""
    workspace, pairs = compared.scene.workspace, pairs_of(compared)
    assert {arm: sum(pair.arm == arm for pair in pairs) for arm in compared.arms} == dict.fromkeys(
        compared.arms, PER_ARM
    )
    for pair in pairs:
        first, second = sides(workspace, pair)
        with workspace.session() as session:
            image = session.get_one(Image, pair.image_id)
            stored = session.scalars(
                sa.select(Counterfactual).where(
                    Counterfactual.run_id == compared.arms[pair.arm], Counterfactual.image_id == pair.image_id
                )
            ).one()
        assert image.file_key and stored.file_key and np.array_equal(first, decode_png(workspace.get(image.file_key)))
        assert np.abs(second - decode_png(workspace.get(stored.file_key))).max() <= 1
        assert (first != second).any() and pair.p_counterfactual == pytest.approx(stored.p_counterfactual, abs=1e-3)
        assert (pair.meta["run"], pair.flipped) == (compared.arms[pair.arm], stored.flipped)


def test_a_heat_map_replaces_the_pixels_that_it_names_and_no_other(compared: Compared) -> None:
    workspace, opened = compared.scene.workspace, open_engine(compared.scene.workspace, compared.run)
    for pair in (pair for pair in pairs_of(compared) if pair.arm != "negative"):
        with workspace.session() as session:
            image = session.get_one(Image, pair.image_id)
        small = small_tensor(workspace, [image], (SIDE, SIDE))
        codes = opened.engine.encode(small, opened.target)
        named = top_pixels(opened.engine.attribution(codes, small, opened.target), DEGREE / 100)[0, 0].numpy()
        first, second = sides(workspace, pair)
        changed = first != second
        assert not (changed & ~named).any() and changed.sum() > 0.9 * named.sum()
        assert set(second[changed]) == {round(float(small.mean()) * 255)}, "the image's mean"


def test_nothing_that_the_reader_is_given_names_a_method(compared: Compared) -> None:
    assert "Bright patch" in compared.shown
    found = {word for word in compared.words if re.search(rf"\b{re.escape(word)}\b", compared.shown, re.IGNORECASE)}
    assert not found
    assert compared.sizes == {SIDE * SIDE}


@pytest.fixture(scope="module")
def found(compared: Compared) -> StudyResults:
    return results(compared.scene.workspace, compared.study)


def test_the_results_name_the_method_of_every_arm(compared: Compared, found: StudyResults) -> None:
    heat = f"mean@10#{compared.run}"
    assert found.methods == {"negative": "medxgan", heat: compared.engine}
    table, groups = findings_by_group(found, "method")
    titles = {name: METHODS[name].title for name in ("medxgan", compared.engine)}
    assert {group.key: group.name for group in groups} == titles
    before = dict(zip(table["arm"], table["prevalence_original"], strict=True))
    assert before == {"medxgan": 0.0, compared.engine: 1.0}
    (summary,) = (one for one in overview(compared.scene.workspace).studies if one.id == compared.study)
    assert study_facts(compared.scene.workspace, found).engine == " and ".join(titles.values())
    assert (summary.state, summary.done, summary.total, summary.n_pairs) == ("closed", 4, 4, 4)
