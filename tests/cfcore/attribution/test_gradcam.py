"""Grad-CAM against a case that is worked out by hand, and against CAM, which it is for average-pooled networks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torch.nn import functional

from cfcore.attribution.gradcam import gradcam
from cfcore.attribution.score import Score
from cfcore.classifiers.base import Classifier, resize
from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.classifiers.known import KnownClassifier
from cfcore.classifiers.spec import ClassifierSpec


class TwoMaps(Classifier):
    """A_0: means of 2 x 2 blocks, A_1 = 1 - A_0; logit 4 A_0[0, 0] - 2 A_1[1, 1]."""

    class_names = ("No", "Yes")
    channels = 1
    size = (4, 4)

    def __init__(self) -> None:
        super().__init__()
        convolution = nn.Conv2d(1, 2, 2, stride=2)
        convolution.weight.data = torch.tensor([0.25, -0.25]).view(2, 1, 1, 1).expand(2, 1, 2, 2).clone()
        convolution.bias = nn.Parameter(torch.tensor([0.0, 1.0]))
        self.detector = nn.Sequential(convolution, nn.ReLU())
        self.requires_grad_(False)

    @property
    def last_convolution(self) -> nn.Module:
        return self.detector

    def logits(self, images: Tensor) -> Tensor:
        maps = self.detector(images)
        logit = 4 * maps[:, 0, 0, 0] - 2 * maps[:, 1, 1, 1]
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


@pytest.fixture
def blocks() -> Tensor:
    """One image of four even blocks, 0.2, 0.4, 0.6 and 0.8."""
    return torch.tensor([[0.2, 0.4], [0.6, 0.8]]).view(1, 1, 2, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_a_map_worked_out_by_hand(blocks: Tensor) -> None:
    # alpha_0 = 4 / 4, alpha_1 = -2 / 4; A_0 - A_1 / 2 = [[-0.2, 0.1], [0.4, 0.7]], rectified [[0, 0.1], [0.4, 0.7]].
    with torch.no_grad():  # As engines call it.
        found = gradcam(Score(TwoMaps(), 1), blocks)[0, 0]
    corners = found[[0, 0, 3, 3], [0, 3, 0, 3]]
    assert torch.allclose(corners, torch.tensor([0.0, 0.1, 0.4, 0.7]), atol=1e-6)
    # Linear in between: a quarter of the way from 0 to 0.1; in both axes 0.75 and 0.25 of each.
    assert found[0, 1].item() == pytest.approx(0.25 * 0.1, abs=1e-6)
    assert found[1, 1].item() == pytest.approx(0.1875 * 0.1 + 0.1875 * 0.4 + 0.0625 * 0.7, abs=1e-6)


def test_threads_do_not_hear_each_other() -> None:
    torch.manual_seed(0)
    network = BinaryDenseNet(("No", "Yes"), 32).requires_grad_(False).eval()
    score, images = Score(network, 1), torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    alone = [gradcam(score, image[None]) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: gradcam(score, image[None]), images))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    assert not network.last_convolution._forward_hooks and all(p.grad is None for p in network.parameters())


def test_another_thread_may_use_the_classifier_meanwhile(blocks: Tensor) -> None:
    class Busy(TwoMaps):
        """Another thread looks at another image before and after every answer."""

        def logits(self, images: Tensor) -> Tensor:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(TwoMaps.logits, self, 1 - images).result()
                found = super().logits(images)
                pool.submit(TwoMaps.logits, self, 1 - images).result()
            return found

    assert torch.equal(gradcam(Score(Busy(), 1), blocks), gradcam(Score(TwoMaps(), 1), blocks))


@pytest.mark.parametrize("against", [False, True])
def test_it_is_what_captum_finds(against: bool) -> None:
    torch.manual_seed(0)
    network = BinaryDenseNet(("No", "Yes"), 64).requires_grad_(False).eval()
    score = Score(network, 1, against)
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    leaf = images.clone().requires_grad_()
    oracle = LayerGradCam(score, network.last_convolution).attribute(leaf, relu_attributions=True)
    assert torch.allclose(gradcam(score, images), resize(oracle, (64, 64)), atol=1e-7)


def test_what_speaks_against_a_class_speaks_for_the_other(blocks: Tensor) -> None:
    # The score of "No" is minus the logit: -A_0 + A_1 / 2 = [[0.2, -0.1], [-0.4, -0.7]].
    against = gradcam(Score(TwoMaps(), 1, against=True), blocks)
    assert torch.equal(against, gradcam(Score(TwoMaps(), 0), blocks))
    assert against[0, 0, 0, 0].item() == pytest.approx(0.2, abs=1e-6) and against[0, 0, 3, 3] == 0


@pytest.mark.parametrize("architecture", ["own", "densenet121", "resnet18"])
def test_it_is_cam_where_the_network_pools_by_the_mean(architecture: str) -> None:
    torch.manual_seed(0)
    network: BinaryDenseNet | KnownClassifier = BinaryDenseNet(("No", "Yes"), 64)
    if architecture != "own":
        network = KnownClassifier(ClassifierSpec(architecture, ("No", "Yes"), (64, 64)), 1)
    network.requires_grad_(False).eval()
    images = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    weight, _ = network.head
    maps = network.maps(images)
    cam = torch.einsum("k,nkhw->nhw", weight[1] - weight[0], maps)[:, None] / maps[0, 0].numel()
    assert maps.shape[2:] == (2, 2) and cam.abs().max() > 0
    for target, sign in ((1, 1), (0, -1)):
        found = gradcam(Score(network, target), images)
        assert torch.allclose(found, resize(functional.relu(sign * cam), (64, 64)), rtol=1e-3, atol=1e-6)
        assert found.shape == images.shape and found.amin() >= 0


def test_a_classifier_without_convolutions_is_refused(curved: Classifier) -> None:
    with pytest.raises(TypeError, match=r"Curved tells no convolutional layer.*Integrated Gradients \(ig\)"):
        gradcam(Score(curved, 1), torch.rand(1, 1, 4, 4))


def test_a_classifier_without_gradients_is_refused(blocks: Tensor) -> None:
    class Closed(TwoMaps):
        @torch.no_grad()
        def logits(self, images: Tensor) -> Tensor:
            return super().logits(images)

    with pytest.raises(TypeError, match="Closed passes no gradients"):
        gradcam(Score(Closed(), 1), blocks)


def test_images_of_another_size_and_unknown_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"images are \(1, 8, 8\), the classifier takes .* \(1, 4, 4\): resize"):
        gradcam(Score(TwoMaps(), 1), torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="no class 2: the classifier has 2"):
        Score(TwoMaps(), 2)
