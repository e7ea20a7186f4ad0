from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
import torch
from monai.networks.nets.densenet import DenseNet121
from safetensors.torch import save_file
from torch import Tensor, nn

from db.events import first_broken
from db.models import Event, Model
from services.models import list_models, load_classifier
from services.own_classifier import ClassifierRefused, add_classifier, example_spec, received
from services.workspace import Workspace

DENSE = "architecture: densenet121\nclass_names: [Healthy, Pneumonia]\ninput: {size: 32}\n"
PROGRAM = "class_names: [Healthy, Pneumonia]\ninput: {size: 16}\n"


class Mean(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=[2, 3]) * 8 - 4


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "Miller^Anna.safetensors"
    save_file(DenseNet121(2, 1, 1).state_dict(), path)
    return path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "Miller^Anna.pt"
    torch.jit.save(torch.jit.script(Mean()), str(path))
    return path


def files(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.folder / "models").rglob("*") if path.is_file())


def test_safetensors_need_no_right_and_leave_an_event(workspace: Workspace, weights: Path) -> None:
    model_id = add_classifier(workspace, " My DenseNet ", weights, DENSE, False, actor="account 7")
    (view,) = list_models(workspace, "classifier")
    assert (view.id, view.name, view.card["class_names"]) == (model_id, "My DenseNet", ["Healthy", "Pneumonia"])
    with workspace.session() as session:
        event = session.scalars(sa.select(Event)).one()
        assert (event.actor, event.kind, event.subject) == ("account 7", "classifier added", f"model {model_id}")
        assert event.data["sha256"] == view.sha256
        assert first_broken(session) is None
    assert files(workspace) == ["card.json", "weights.safetensors"]
    logits = load_classifier(workspace, model_id).logits(torch.rand(1, 1, 32, 32))
    assert logits.shape == (1, 2)


def test_no_name_of_the_file_is_kept(workspace: Workspace, program: Path) -> None:
    model_id = add_classifier(workspace, "Mean", program, PROGRAM, True)
    with workspace.session() as session:
        model = session.get_one(Model, model_id)
        stored = json.dumps([model.card, model.path, [event.data for event in session.scalars(sa.select(Event))]])
    assert "Miller" not in stored + " ".join(files(workspace))
    classifier = load_classifier(workspace, model_id)
    images = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(classifier.logits(images)[:, 1], images.mean(dim=(1, 2, 3)) * 8 - 4)
    # The file is looked at again at each start of the program.
    (workspace.folder / model.path / "program.pt").write_bytes(b"PK\x03\x04 something else")
    classifier.program.close()  # type: ignore[operator, union-attr]
    with pytest.raises(ValueError, match="changed since it was added"):
        classifier.logits(images)


def test_a_program_needs_the_right_to_run_code(
    workspace: Workspace, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cfcore.classifiers.own as own

    def started(*arguments: object, **options: object) -> None:
        raise AssertionError("the program was started without the right")

    monkeypatch.setattr(own, "Program", started)
    with pytest.raises(ClassifierRefused, match="may not run code"):
        add_classifier(workspace, "Mean", program, PROGRAM, False)
    assert list_models(workspace) == []
    assert not (workspace.folder / "models").exists()


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("", DENSE, "a name of 1 to 80"),
        ("x" * 81, DENSE, "a name of 1 to 80"),
        ("Net", "class_names: [A]", "input is missing"),
        ("Net", DENSE.replace("[Healthy, Pneumonia]", "[A, B, C]"), "1 outputs, the description names 3"),
        ("Net", PROGRAM, "file is safetensors"),
        ("Net", DENSE + "#" * 20_000, "longer than 20000"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    workspace: Workspace, weights: Path, name: str, spec: str, words: str
) -> None:
    with pytest.raises(ClassifierRefused, match=words):
        add_classifier(workspace, name, weights, spec, True)
    assert list_models(workspace) == []
    assert files(workspace) == []
    with workspace.session() as session:
        assert session.scalars(sa.select(Event)).all() == []


def test_a_taken_name_is_refused(workspace: Workspace, weights: Path) -> None:
    add_classifier(workspace, "Net", weights, DENSE, False)
    with pytest.raises(ClassifierRefused, match="already"):
        add_classifier(workspace, "Net", weights, DENSE, False)
    assert len(list_models(workspace)) == 1


def test_a_file_that_is_not_there_is_told(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ClassifierRefused, match="no such file"):
        add_classifier(workspace, "Net", tmp_path / "nowhere", DENSE, False)


def test_an_upload_is_gone_afterwards(workspace: Workspace) -> None:
    with received(workspace, io.BytesIO(b"abc")) as path:
        assert path.read_bytes() == b"abc"
    assert not path.exists()


def test_the_example_is_shown_in_the_editor() -> None:
    assert "class_names" in example_spec()


def test_the_command_line_adds_a_classifier_and_tells_errors_in_one_line(
    workspace: Workspace, weights: Path, tmp_path: Path
) -> None:
    import typer
    from typer.testing import CliRunner

    from services.cli.own import add_classifier as command

    app = typer.Typer()
    app.command()(command)
    spec = tmp_path / "spec.yaml"
    spec.write_text(DENSE)
    arguments = [str(weights), "--name", "Net", "--spec", str(spec), "--workspace", str(workspace.folder)]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(done.stdout)["name"] == "Net"
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1
    assert again.stderr.count("\n") == 1 and "already" in again.stderr
