"""`cfreader transition`: which images are filmed, where to, under which names, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from typer.testing import CliRunner

from cfcore.classifiers.store import build_classifier, save_classifier
from cfcore.generators.mirror import MirrorDecoder, save_mirror
from cfcore.generators.mirror.model import config_for
from services import animation
from services.animation import coloured_gif
from services.cli.main import app
from services.models import add_model, new_folder
from services.training.material import load_pictures
from services.workspace import Workspace
from tests.services.training.test_classes import bars

NAMES = ("top", "bottom")
WORDS = ("transition", "--dataset", "bars", "--classifier", "C", "--generator", "M", "--points", "3")


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """An untrained network that halves the test images, and an untrained decoder for it."""
    data = bars(workspace, [[NAMES[i % 2]] for i in range(60)]).dataset_id
    torch.manual_seed(0)
    made = build_classifier("resnet18", NAMES, 28, width=0.1).eval()
    with torch.no_grad():
        features = made.features(load_pictures(workspace, data, "test", 28).float() / 255)
        along = torch.linalg.svd(features - features.mean(dim=0)).Vh[1]
        places = features @ along
        scale = 4 / places.std()
        made.network.fc.weight.copy_(torch.stack([-scale * along, scale * along]))
        made.network.fc.bias.copy_(torch.stack([scale * places.median(), -scale * places.median()]))
    made.half().float()  # what is stored
    path, folder = new_folder(workspace)
    save_classifier(folder, made, {"name": "C"})
    classifier = add_model(workspace, "C", path)
    path, folder = new_folder(workspace)
    save_mirror(folder, MirrorDecoder(config_for(made, width=4, most=4, code=4)), {"name": "M", "classifier": "C"})
    add_model(workspace, "M", path, classifier_id=classifier)
    return workspace


def test_films_lie_where_the_paper_puts_them(ready: Workspace, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*WORDS, "--images", "99", "--out", str(tmp_path / "new"), "--json"])
    assert done.exit_code == 0, done.output
    films = json.loads(done.output.strip().splitlines()[-1])["films"]
    assert {film["case"] for film in films} == {"correct", "error"}
    for film in films:
        path = Path(film["files"][0])
        assert path.parent == tmp_path / "new" / "bars" / "01" and path.name.startswith(f"no{film['image']}_")
        source, truth, target = (path.stem.split("_")[i].strip("(GT)") for i in (1, 3, 5))
        assert path.stem.endswith(film["case"]) and target != source
        assert (truth == source) is (film["case"] == "correct")
        assert Pillow.open(path).size == (720, 840)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--format", "avi"), "no format 'avi'"),
        (("--case", "odd"), "no case 'odd'"),
        (("--images", "0"), "at least 1"),
        (("--target", "left"), "no class 'left'"),
        (("--split", "none"), "splits are"),
    ],
)
def test_what_is_refused(ready: Workspace, tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(app, [*WORDS, "--out", str(tmp_path), *more])
    assert done.exit_code == 1 and message in " ".join(done.output.split()) and not list(tmp_path.rglob("*.gif"))


def test_mp4_is_refused_before_any_work(ready: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation.importlib.util, "find_spec", lambda _: None)
    done = CliRunner().invoke(app, [*WORDS, "--out", str(tmp_path), "--format", "mp4"])
    assert done.exit_code == 1 and "cfreader[video]" in done.output


def test_an_mp4_plays_the_frames_of_the_gif(ready: Workspace, tmp_path: Path) -> None:
    wanted = [*WORDS, "--images", "1", "--out", str(tmp_path), "--format", "both", "--json"]
    done = CliRunner().invoke(app, wanted)
    assert done.exit_code == 0, done.output
    film, still = (Path(file) for file in json.loads(done.output.strip().splitlines()[-1])["films"][0]["files"])
    played = cv2.VideoCapture(str(film))
    shown, first = played.read()
    assert shown and film.suffix == ".mp4" and first.shape == (840, 720, 3)
    gif = Pillow.open(still)
    expected = np.asarray(gif.convert("RGB")).astype(int)
    # Lossy on both sides; a film of something else, or with red for blue, is far off.
    assert np.abs(first[..., ::-1].astype(int) - expected).mean() < 4
    assert int(played.get(cv2.CAP_PROP_FRAME_COUNT)) >= gif.n_frames  # equal frames are joined in a GIF


def test_a_gif_keeps_white_and_thin_lines() -> None:
    frame = np.full((40, 40, 3), 255, np.uint8)
    frame[20] = (184, 80, 11)
    other = frame.copy()
    other[5] = 0
    played = Pillow.open(io.BytesIO(coloured_gif([frame, other])))
    shown = np.asarray(played.convert("RGB")).astype(int)
    assert (shown[0] == 255).all() and np.abs(shown[20] - (184, 80, 11)).max() <= 8 and played.n_frames == 2
