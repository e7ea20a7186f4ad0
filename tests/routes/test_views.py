"""Explore's pictures over HTTP: for researchers only, exact on the wire, and clear about what is wrong."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict

import numpy as np
import pytest
from starlette.testclient import TestClient

from services.intended import intended_along
from services.mixing import boundary_along
from services.overlay import heat_map
from services.paths import scene
from services.workspace import Workspace
from tests.routes.test_guard import as_account, client
from tests.services import mirror_run, shift_engine
from tests.services.test_explore import an_image
from tests.services.test_runs import explained

__all__ = ["client"]

NAMES = ("scene", "path", "boundary", "intended", "map", "effects", "least", "gallery", "directions", "export")


@pytest.fixture
def asked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    shift_engine.known(monkeypatch)
    run_id = explained(workspace, shift_engine.scene(workspace, images=2))
    return {"run": str(run_id), "image": str(an_image(workspace, run_id).id), "rendering": "detail transfer"}


def test_nobody_but_researchers_gets_a_picture(client: TestClient, workspace: Workspace, asked: dict[str, str]) -> None:
    for name in NAMES:
        assert client.get(f"/views/{name}", params=asked).status_code == 401
    as_account(client, workspace, "rob")
    for name in NAMES:
        assert client.get(f"/views/{name}", params=asked).status_code == 403


def test_what_is_sent_is_what_the_server_has(client: TestClient, workspace: Workspace, asked: dict[str, str]) -> None:
    as_account(client, workspace, "ada")
    answer = client.get("/views/scene", params=asked, headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == "no-store" and "content-encoding" not in answer.headers
    (length,) = struct.unpack_from("<I", answer.content)
    head = json.loads(answer.content[4 : 4 + length])
    assert [name for name, *_ in head["arrays"]] == ["before", "reconstruction", "rows", "columns"]
    found = scene(workspace, int(asked["run"]), int(asked["image"]), "detail transfer")
    floats = np.frombuffer(answer.content[4 + length :], "<f4")
    assert np.array_equal(floats[: found.before.size].reshape(found.before.shape), found.before)
    assert len(floats) == sum(h * w for _, h, w in head["arrays"]) and len(head["degrees"]) == 81
    path = client.get("/views/path", params={**asked, "direction": "up", "at": "3"})
    assert len(path.content) == 81 * (12 + 4 * 64)
    assert struct.unpack_from("<f", path.content)[0] == 3.0
    one = client.get("/views/path", params={**asked, "direction": "up", "at": "3.3", "only": "1"})
    assert len(one.content) == 12 + 4 * 64
    where = client.get("/views/boundary", params={**asked, "direction": "up"}).json()
    assert where == asdict(boundary_along(found, "up", ())) and where["degree"] > 0 and not where["back"]
    heat = client.get("/views/map", params={**asked, "map": "ig"}).content
    (length,) = struct.unpack_from("<I", heat)
    assert json.loads(heat[4 : 4 + length]) == {"h": 8, "w": 8, "signed": True} and length % 4 == 0
    known = heat_map(workspace, int(asked["run"]), int(asked["image"]), "ig")
    assert np.array_equal(np.frombuffer(heat[4 + length :], "<f4").reshape(8, 8), known.values)
    moves = json.dumps({"up": 9, "down": 2})
    effects = client.get("/views/effects", params={**asked, "moves": moves}).json()
    assert set(effects["alone"]) == set(effects["without"]) == {"up", "down"}
    least = client.get("/views/least", params={**asked, "directions": '["up", "down"]'}).text.splitlines()
    assert [json.loads(line)["direction"] for line in least] == ["up", "down"]
    shown = client.get("/views/gallery", params={**asked, "images": asked["image"], "moves": moves}).json()
    assert [one["id"] for one in shown] == [int(asked["image"])]
    along = {"degree": "9", "directions": '["up", "down"]'}
    beside = client.get("/views/directions", params={**asked, **along}).json()
    assert [one["direction"] for one in beside["directions"]] == ["up", "down"] and not beside["already"]
    film = client.get("/views/export", params={**asked, "direction": "up", "degree": "3", "format": "gif"})
    name = f"explore-run{asked['run']}-image{asked['image']}.gif"
    assert film.headers["content-disposition"] == f'attachment; filename="{name}"' and film.content[:3] == b"GIF"


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("scene", {"image": "99"}, "not in the data set any more"),
        ("scene", {"run": "x"}, "run must be a number, not 'x'"),
        ("scene", {"rendering": "oil"}, "no rendering 'oil'"),
        ("map", {"map": "moon"}, "no map 'moon' of this run; there are gradcam, ig, ig mean"),
        ("map", {"map": "lig"}, "No medXGAN generator was trained with Brightness: train one on the Runs page"),
        ("map", {"map": "ig realisation"}, "No medXGAN generator was trained with"),
        ("path", {"at": "nan"}, "at must be finite"),
        ("path", {"direction": "sideways", "at": "3"}, "no direction 'sideways'"),
        ("boundary", {"direction": "sideways"}, "no direction 'sideways'"),
        ("intended", {"direction": "up"}, "does not say beforehand"),
        ("effects", {"moves": "[1"}, "moves must be JSON"),
        ("least", {"directions": "up"}, "directions must be a JSON list"),
        ("directions", {"degree": "3"}, "directions must be a JSON list"),
        ("directions", {"degree": "x", "directions": '["up"]'}, "degree must be a number, not 'x'"),
        ("export", {"degree": "3", "format": "avi"}, "no format 'avi'"),
    ],
)
def test_what_is_wrong_is_said(
    client: TestClient, workspace: Workspace, asked: dict[str, str], name: str, more: dict[str, str], words: str
) -> None:
    as_account(client, workspace, "ada")
    answer = client.get(f"/views/{name}", params={**asked, **more})
    assert answer.status_code == 400 and words in answer.json()["error"]


def test_a_one_way_run_says_what_it_intends_and_refuses_to_mix(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror_run.install(monkeypatch)
    run, (image, *_), _ = mirror_run.mirror_run(workspace)
    as_account(client, workspace, "ada")
    asked = {"run": str(run), "image": str(image), "rendering": "plain", "direction": "confidence"}
    found = client.get("/views/intended", params={**asked, "at": "0.7"}).json()
    assert found == asdict(intended_along(scene(workspace, run, image, "plain"), "confidence", 0.7))
    both = {**asked, "moves": json.dumps({"mirror": 0.4, "confidence": 0.7}), "images": str(image), "degree": "0.7"}
    for name in ("path", "boundary", "effects", "gallery", "export"):
        answer = client.get(f"/views/{name}", params={**both, "format": "gif"})
        assert answer.status_code == 400 and "confidence and mirror say in two ways" in answer.json()["error"], name
