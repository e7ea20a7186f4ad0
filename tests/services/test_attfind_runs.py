"""AttFind through the worker: the range of the training images, and a search that was cut off goes on."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

import services.models
import services.worker.explain
from cfcore.engines.attfind import AttFind
from cfcore.engines.attfind import search as attfind_search
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.training.weights import freeze
from db.models import Model
from services.explore import explore, open_engine
from services.runs import moves_an_image, run_view, start_run
from services.worker import lease, queue
from services.worker.loop import do
from services.workspace import Workspace
from tests.services import shift_engine

CHANNELS = {4: 8, 8: 8}


@pytest.fixture
def ids(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Dark squares, their classifier and a small generator."""
    shift_engine.known(monkeypatch)
    found = shift_engine.scene(workspace)
    torch.manual_seed(1)
    model = StylEx(StylExConfig(size=8, width=8, condition=2, channels=CHANNELS, critic_channels=CHANNELS))
    freeze(model)
    monkeypatch.setattr(services.models, "load_generator", lambda *_: model)
    card = {"config": {"size": 8, "channels": {"4": 8, "8": 8, "16": 8}}}
    with workspace.session() as session:
        row = Model(name="G", kind="stylex", path="g", sha256="3", card=card, classifier_id=found["classifier"])
        session.add(row)
        session.flush()
        return found | {"generator": row.id}


def queued(workspace: Workspace, ids: dict[str, int], **config: Any) -> int:
    settings = shift_engine.settings(3, **({"k": 3} | config)) | {"engine": "attfind", "rendering": "plain"}
    return start_run(
        workspace, "explain", "a", settings, 0, ids["dataset"], ids["classifier"], ids["generator"], actor="me"
    )


def work(workspace: Workspace) -> None:
    assert lease.take(workspace, "w")
    run = queue.next_run(workspace, "w")
    assert run is not None
    do(workspace, run, "w", threading.Event())
    lease.release(workspace, "w")


def test_a_run_ranks_coordinates_and_can_be_explored(workspace: Workspace, ids: dict[str, int]) -> None:
    run_id = queued(workspace, ids)
    work(workspace)
    view = run_view(workspace, run_id)
    assert view.state == "done", view.message
    assert [d.kept for d in view.directions] == [True] * 3 + [False] * (2 * 24 - 3)
    assert view.directions[0].name.startswith("s") and view.result["n"] == 3
    assert not (workspace.folder / "engines" / f"{run_id}.search").exists()
    opened = open_engine(workspace, run_id)
    assert isinstance(opened.engine, AttFind)
    image_id = int(next(iter(view.inputs["images"])))
    moved = explore(workspace, run_id, image_id, view.directions[0].name, 1.0, "plain")
    still = explore(workspace, run_id, image_id, view.directions[0].name, 0.0, "plain")
    assert np.abs(moved.counterfactual - moved.reconstruction).max() > 1e-4
    assert np.abs(still.counterfactual - still.reconstruction).max() < 1e-6


def test_the_range_comes_from_images_of_every_class(workspace: Workspace, ids: dict[str, int]) -> None:
    """No training split here: the validation images give it, and all of them, not only the four of the search."""
    run_id = queued(workspace, ids)
    work(workspace)
    engine = open_engine(workspace, run_id).engine
    assert isinstance(engine, AttFind)
    inside = []
    for image_id in run_view(workspace, run_id).inputs["fit_images"]:
        inside.append(_styles(workspace, engine, int(image_id)))
    of_search = torch.cat(inside)
    assert (engine.ends[:, 0] >= of_search.amax(dim=0) - 1e-5).all()
    assert (engine.ends[:, 0] > of_search.amax(dim=0) + 1e-5).any()


def _styles(workspace: Workspace, engine: AttFind, image_id: int) -> torch.Tensor:
    from db.models import Image
    from services.images import small_tensor

    with workspace.session() as session:
        image = session.get_one(Image, image_id)
    codes = engine.encode(small_tensor(workspace, [image], (8, 8)), 1)
    return engine.generator.styles(codes[:, :-1], codes[:, -1].long())


def test_a_search_that_was_cut_off_goes_on(
    workspace: Workspace, ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attfind_search, "CHUNK", 32)
    straight = queued(workspace, ids)
    work(workspace)
    whole = _drawings(monkeypatch)
    cut = queued(workspace, ids)
    with monkeypatch.context() as patch:
        patch.setattr(attfind_search, "_tell", _killer())
        work(workspace)
    assert run_view(workspace, cut).state == "failed" and sum(whole) > 0
    assert list((workspace.folder / "engines" / f"{cut}.search").glob("*.safetensors"))
    before = sum(whole)
    from services.runs import resume_run

    resume_run(workspace, cut, "me")
    work(workspace)
    assert run_view(workspace, cut).state == "done"
    assert 0 < sum(whole) - before < 4 * 48, "what was searched is not searched again"
    files = {path.name for path in (workspace.folder / "engines" / str(straight)).iterdir()}
    assert files == {"engine.json", "engine.safetensors"}
    for name in files:
        one, two = ((workspace.folder / "engines" / str(i) / name).read_bytes() for i in (straight, cut))
        assert one == two


def _killer() -> Any:
    def tell(progress: Any, done: int, total: int) -> None:
        if done > total / 2:
            raise RuntimeError("killed")

    return tell


def _drawings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by the images of every redrawing from now on."""
    counted: list[int] = []
    draw = attfind_search.Redraw.draw

    def counting(self: Any, rows: torch.Tensor, *args: Any) -> torch.Tensor:
        counted.append(len(rows))
        return draw(self, rows, *args)

    monkeypatch.setattr(attfind_search.Redraw, "draw", counting)
    return counted


def test_the_search_is_announced_by_its_size() -> None:
    card = {"config": {"size": 64, "channels": {"4": 256, "8": 256, "16": 128, "32": 64, "64": 24, "128": 16}}}
    assert moves_an_image("attfind", {"verified": 1.0}, card) == 2864
    assert moves_an_image("attfind", {"verified": 0.05}, card) == 144
    assert moves_an_image("eigenfind", {"scan": 20}, card) == 40
    assert moves_an_image("eigenfind", {"scan": 20, "prerank": 12}, card) == 12
    from cfcore.generators.stylex import StylEx, StylExConfig

    model = StylEx(StylExConfig(size=64))
    assert moves_an_image("attfind", {}, card) == 2 * model.style_dimension


def test_a_subset_is_a_direction_of_the_run(
    workspace: Workspace, ids: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its images say which direction flipped them, and it can be explored and shown in a study."""
    from db.models import Counterfactual
    from services.studies import create_study

    # A subset that always takes the two best pairs and calls it a flip: what the toy's pixels do is no matter here.
    monkeypatch.setattr(AttFind, "_subset", staticmethod(lambda row, kept: (tuple(kept[:2]), 2, True)))
    run_id = queued(workspace, ids, selection="subset")
    work(workspace)
    view = run_view(workspace, run_id)
    assert view.state == "done", view.message
    joint = view.directions[-1]
    assert joint.name == ", ".join(d.name for d in view.directions[:2]) and joint.kept
    assert [d.rank for d in view.directions] == list(range(1, len(view.directions) + 1))
    with workspace.session() as session:
        rows = session.query(Counterfactual).filter_by(run_id=run_id).all()
    assert len(rows) == 3 and {row.direction_id for row in rows} == {joint.id}
    opened = open_engine(workspace, run_id)
    assert opened.directions[-1].name == joint.name
    assert opened.directions[-1].mean_change == pytest.approx(joint.mean_change)
    image_id = int(next(iter(view.inputs["images"])))
    moved = explore(workspace, run_id, image_id, joint.name, 1.0, "plain")
    assert np.abs(moved.counterfactual - moved.reconstruction).max() > 1e-4
    assert create_study(workspace, run_id, actor="me", directions=[joint.name])


def test_the_degree_that_most_images_need_is_stored_and_offered(workspace: Workspace, ids: dict[str, int]) -> None:
    """Shift adds 0.05 a degree: by the hand of the toy, the darkest of the images decides."""
    from services.studies import create_study
    from services.study_views import study_view

    settings = shift_engine.settings(3) | {"rendering": "plain"}
    run_id = start_run(workspace, "explain", "s", settings, 0, ids["dataset"], ids["classifier"], actor="me")
    work(workspace)
    degree = run_view(workspace, run_id).result["suggested_degree"]
    assert degree is not None and 0 < degree < 10 and (2 * degree).is_integer()
    study_id = create_study(workspace, run_id, actor="me")
    assert study_view(workspace, study_id).protocol.degree == degree
