from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cfcore.classifiers.own import load_own, take_in, try_out
from cfcore.classifiers.program import Program, ProgramClassifier, ProgramError, file_format
from cfcore.classifiers.sandbox import Limits
from cfcore.classifiers.spec import SpecError, read_spec
from cfcore.training.weights import file_sha256

SIDE = 16
TWO = f"class_names: [Healthy, Ill]\ninput: {{size: {SIDE}}}\n"


class Net(nn.Module):
    """A small convolutional classifier."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.out = nn.Linear(4, outputs)

    def forward(self, images: Tensor) -> Tensor:
        return self.out(torch.tanh(self.conv(images)).mean(dim=[2, 3]))


class Wild(nn.Module):
    """Misbehaves on demand: the first pixel times 20 says how."""

    def __init__(self, secret: str, new: str) -> None:
        super().__init__()
        self.secret = secret
        self.new = new

    def forward(self, images: Tensor) -> Tensor:
        mode = int(torch.round(images[0, 0, 0, 0] * 20))
        mean = images.mean(dim=[1, 2, 3])
        if mode == 1:  # for ever
            while bool(mean[0] < 2):
                mean = mean * 1.0
        if mode == 2:  # reads a file
            return torch.from_file(self.secret, False, 4, dtype=torch.uint8).float() + mean[:, None]
        if mode == 3:  # writes a file
            return torch.from_file(self.new, True, 4, dtype=torch.uint8).float() + mean[:, None]
        if mode == 4:  # takes all memory
            return torch.ones(1 << 40)[: len(images), None]
        if mode == 5:
            return mean[:, None] / 0.0 * 0.0
        if mode == 6:
            return mean.sum()
        if mode == 7:
            return mean[:, None, None].expand(-1, 2, 2)
        if mode == 8:
            return mean[:1, None].repeat(len(images) + 1, 1)
        if mode == 9:
            return mean[:, None].detach()
        if mode == 10:
            print("hello from the program")
        if mode == 11:
            assert False, "[a link](http://example.org) \x1b[31m"  # noqa: B011
        return mean[:, None]


def save_script(module: nn.Module, path: Path) -> Path:
    torch.jit.save(torch.jit.script(module.eval()), str(path))
    return path


def export(module: nn.Module, path: Path, *, any_batch: bool) -> Path:
    shapes = ({0: torch.export.Dim("n")},) if any_batch else None
    n = 2 if any_batch else 1
    torch.export.save(
        torch.export.export(module.eval(), (torch.rand(n, 1, SIDE, SIDE),), dynamic_shapes=shapes), str(path)
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def scripted(folder: Path, net: Net) -> Iterator[ProgramClassifier]:
    path = save_script(net, folder / "net.pt")
    program = Program(path, file_sha256(path), "torchscript")
    yield ProgramClassifier(program, read_spec(TWO))
    program.close()


@pytest.fixture(scope="module")
def wild(folder: Path) -> Iterator[ProgramClassifier]:
    (folder / "secret").write_bytes(b"4321")
    path = save_script(Wild(str(folder / "secret"), str(folder / "new")), folder / "wild.pt")
    program = Program(path, file_sha256(path), "torchscript", limits=Limits(memory=4 << 30, seconds=20))
    yield ProgramClassifier(program, read_spec(TWO))
    program.close()


def images_of(mode: int, n: int = 2) -> Tensor:
    images = torch.full((n, 1, SIDE, SIDE), 0.25)
    images[:, :, 0, 0] = mode / 20
    return images


def test_the_program_answers_as_the_network_does(scripted: ProgramClassifier, net: Net) -> None:
    images = torch.rand(19, 1, SIDE, SIDE)
    with torch.no_grad():
        expected = net(images)
    found = scripted.logits(images)
    torch.testing.assert_close(found[:, 1:], expected)
    assert found[:, 0].eq(0).all()


def test_the_gradient_goes_through_the_pipe(scripted: ProgramClassifier, net: Net) -> None:
    images = torch.rand(18, 1, SIDE, SIDE, requires_grad=True)
    weights = torch.rand(18)
    (found,) = torch.autograd.grad((scripted.logits(images)[:, 1] * weights).sum(), images)
    (expected,) = torch.autograd.grad((net(images)[:, 0] * weights).sum(), images)
    torch.testing.assert_close(found, expected)


def test_an_image_can_be_moved_until_the_program_changes_its_mind(scripted: ProgramClassifier) -> None:
    images = torch.full((1, 1, SIDE, SIDE), 0.5, requires_grad=True)
    before = scripted.logits(images)[0, 1].item()
    for _ in range(5):
        (step,) = torch.autograd.grad(scripted.logits(images)[0, 1], images)
        images = (images + 0.05 * step / step.abs().max()).clamp(0, 1).detach().requires_grad_(True)
    assert scripted.logits(images)[0, 1].item() > before


def test_it_has_no_features(scripted: ProgramClassifier) -> None:
    with pytest.raises(TypeError, match="features"):
        scripted.features(torch.rand(1, 1, SIDE, SIDE))


def test_the_child_sees_no_environment_of_ours(
    folder: Path, net: Net, monkeypatch: pytest.MonkeyPatch, scripted: ProgramClassifier
) -> None:
    import subprocess

    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    seen: dict[str, object] = {}

    def popen(arguments: list[str], **options: object) -> None:
        seen.update(options, arguments=arguments)
        raise OSError("not started")

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(OSError, match="not started"):
        Program(scripted.program.path, scripted.program.sha256, "torchscript").outputs(torch.zeros(1))
    assert set(seen["env"]) == {"OMP_NUM_THREADS", "USER", "HOME", "LC_ALL"}  # type: ignore[call-overload]
    assert str(folder) not in str(seen)
    assert os.path.realpath(str(seen["cwd"])) != os.getcwd()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (2, ["program failed"]),
        (3, ["program failed"]),
        (4, ["not enough memory"]),
        (6, ["single number"]),
        (7, ["expected outputs (2, outputs)", "(2, 2, 2)"]),
        (8, ["expected outputs (2, outputs)", "(3, 1)"]),
    ],
)
def test_misbehaviour_is_held_and_told(wild: ProgramClassifier, folder: Path, mode: int, words: list[str]) -> None:
    with pytest.raises(ProgramError) as caught:
        wild.logits(images_of(mode))
    for word in words:
        assert word in str(caught.value)
    assert (folder / "secret").read_bytes() == b"4321"
    assert not (folder / "new").exists()
    torch.testing.assert_close(wild.logits(images_of(0))[:, 1], images_of(0).mean(dim=(1, 2, 3)))


def test_what_the_program_prints_is_no_answer(wild: ProgramClassifier) -> None:
    torch.testing.assert_close(wild.logits(images_of(10))[:, 1], images_of(10).mean(dim=(1, 2, 3)))


def test_its_words_carry_no_control_characters(wild: ProgramClassifier) -> None:
    with pytest.raises(ProgramError) as caught:
        wild.logits(images_of(11))
    assert str(caught.value).isprintable()


def test_without_a_gradient_the_error_says_so(wild: ProgramClassifier) -> None:
    images = images_of(9).requires_grad_(True)
    logits = wild.logits(images)
    with pytest.raises(ProgramError, match=r"no gradient.*no_grad"):
        torch.autograd.grad(logits[:, 1].sum(), images)


def test_a_program_without_end_is_stopped_and_started_again(folder: Path, wild: ProgramClassifier) -> None:
    program = Program(wild.program.path, wild.program.sha256, "torchscript", limits=Limits(seconds=60))
    slow = ProgramClassifier(program, read_spec(TWO))
    slow.logits(images_of(0))
    child = program._sandbox
    assert child is not None
    child.limits = Limits(seconds=1)
    started = time.monotonic()
    with pytest.raises(ProgramError, match="no answer within 1 s"):
        slow.logits(images_of(1))
    assert time.monotonic() - started < 20
    assert not child.alive
    torch.testing.assert_close(slow.logits(images_of(0))[:, 1], images_of(0).mean(dim=(1, 2, 3)))
    restarted = program._sandbox
    assert restarted is not None and restarted is not child
    program.close()
    assert not restarted.alive


def test_a_changed_file_is_not_run(folder: Path, net: Net) -> None:
    path = save_script(net, folder / "changed.pt")
    program = Program(path, file_sha256(path), "torchscript")
    save_script(Net(), path)
    with pytest.raises(ProgramError, match="changed since it was added"):
        program.outputs(torch.zeros(1, 1, SIDE, SIDE))


@pytest.mark.parametrize("any_batch", [True, False])
def test_an_exported_program_is_taken_in(any_batch: bool, net: Net, tmp_path: Path) -> None:
    path = export(net, tmp_path / "net.pt2", any_batch=any_batch)
    checked = take_in(path, tmp_path / "model", read_spec(TWO))
    assert checked.card["format"] == "export"
    assert checked.card["batch"] == (16 if any_batch else 1)
    assert checked.remarks == ()
    assert any("memory" in line for line in checked.card["protections"])
    classifier = load_own(tmp_path / "model", checked.card)
    images = torch.rand(3, 1, SIDE, SIDE, requires_grad=True)
    with torch.no_grad():
        torch.testing.assert_close(classifier.logits(images)[:, 1:], net(images))
    (found,) = torch.autograd.grad(classifier.logits(images)[:, 1].sum(), images)
    (expected,) = torch.autograd.grad(net(images).sum(), images)
    torch.testing.assert_close(found, expected)


class Changed(nn.Module):
    """Three classes with one thing wrong, or none."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.net = Net(3)

    def forward(self, images: Tensor) -> Tensor:
        out = self.net(images)
        if self.how == "nan":
            out = torch.log(images.mean(dim=[2, 3])).expand(-1, 3)
        if self.how == "softmax":
            out = out.softmax(dim=1)
        if self.how == "large":
            out = out * 100
        if self.how == "dropout":
            out = nn.functional.dropout(out, 0.5, training=True)
        if self.how == "batch norm":
            out = out - out.mean(dim=0, keepdim=True)
        if self.how == "nan gradient":
            out = out + (images.mean(dim=[2, 3]) * 0.0).sqrt()
        if self.how == "saturated":
            out = out.sigmoid().round() - 2
        return out


class InProcess(ProgramClassifier):
    """A network asked without a sandbox."""

    def __init__(self, network: nn.Module, description: str) -> None:
        spec = read_spec(description)
        super().__init__(Program(Path("none"), "", "torchscript"), spec)
        self.network = network

    def raw(self, images: Tensor) -> Tensor:
        return self.network(self.spec.prepare(images))


THREE = f"class_names: [A, B, C]\ninput: {{size: {SIDE}}}\n"


@pytest.mark.parametrize(
    ("how", "spec", "words"),
    [
        ("nan", THREE, ["finite", "black image", "input.range"]),
        ("softmax", THREE, ["sum to 1", "output: probabilities"]),
        ("large", THREE + "output: probabilities\n", ["expected probabilities", "output: logits"]),
        ("", TWO, ["3 outputs", "1 or 2"]),
        ("dropout", THREE, [".eval()"]),
        ("batch norm", THREE, ["alone", ".eval()"]),
        ("nan gradient", THREE, ["gradient", "not finite"]),
    ],
)
def test_a_wrong_network_is_refused_with_what_was_expected(how: str, spec: str, words: list[str]) -> None:
    torch.manual_seed(0)
    with pytest.raises(ValueError) as caught:
        try_out(InProcess(Changed(how), spec))
    for word in words:
        assert word in str(caught.value)


def test_a_good_network_has_no_remark_and_a_saturated_one_has() -> None:
    torch.manual_seed(0)
    assert try_out(InProcess(Changed(""), THREE)) == ()
    assert try_out(InProcess(Changed("softmax"), THREE + "output: probabilities\n")) == ()
    remarks = " ".join(try_out(InProcess(Changed("saturated"), THREE)))
    assert "same output" in remarks
    assert "gradient is zero" in remarks


def test_a_program_for_other_images_is_refused_with_the_expectation(net: Net, tmp_path: Path) -> None:
    path = save_script(net, tmp_path / "net.pt")
    spec = read_spec(f"class_names: [A, B]\ninput: {{size: {SIDE}, channels: 3}}\n")
    with pytest.raises(ProgramError, match=r"\(n, 3, 16, 16\).*input\.channels"):
        take_in(path, tmp_path / "model", spec)


def test_a_program_without_gradient_is_taken_with_a_remark(folder: Path, wild: ProgramClassifier) -> None:
    class Still(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=[2, 3]).detach()

    path = save_script(Still(), folder / "still.pt")
    checked = take_in(path, folder / "still", read_spec(TWO))
    assert "no gradient" in checked.remarks[0]


def bytes_of(save: object) -> bytes:
    buffer = io.BytesIO()
    save(buffer)  # type: ignore[operator]
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"", ["empty"]),
        (lambda: b"hello, I am no model", ["68 65 6c 6c"]),
        (lambda: bytes_of(lambda f: torch.save({"w": torch.zeros(2)}, f)), ["pickle", "safetensors"]),
        (
            lambda: bytes_of(lambda f: torch.save({"w": torch.zeros(2)}, f, _use_new_zipfile_serialization=False)),
            ["pickle", "torch.export.save"],
        ),
        (lambda: b"PK\x03\x04 and then nothing", ["cut off"]),
        (lambda: bytes_of(_plain_zip), ["another kind of zip"]),
    ],
)
def test_no_other_file_is_even_started(content: object, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content())  # type: ignore[operator]
    with pytest.raises(ProgramError) as caught:
        file_format(path)
    for word in words:
        assert word in str(caught.value)


def _plain_zip(buffer: io.BytesIO) -> None:
    import zipfile

    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "nothing")


def test_description_and_file_must_be_of_one_kind(folder: Path, net: Net, tmp_path: Path) -> None:
    path = save_script(net, tmp_path / "net.pt")
    with pytest.raises(SpecError, match="architecture is densenet121, but the file is a program"):
        take_in(path, tmp_path / "model", read_spec("architecture: densenet121\n" + TWO))


def test_a_damaged_program_says_that_it_could_not_be_loaded(net: Net, tmp_path: Path) -> None:
    import zipfile

    source = save_script(net, tmp_path / "net.pt")
    path = tmp_path / "damaged.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"garbage" if name.endswith("constants.pkl") else old.read(name))
    with pytest.raises(ValueError, match="could not be loaded as a TorchScript program"):
        take_in(path, tmp_path / "model", read_spec(TWO))
