"""The networks that can be trained here, as people read them. No torch here: pages read it."""

from __future__ import annotations

TITLES: dict[str, str] = {
    "densenet121": "DenseNet-121",
    "vgg16": "VGG-16",
    "small-cnn": "Small CNN",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
}
WIDE = ("vgg16", "small-cnn", "resnet18", "resnet50")  # with a width of their own
FLATTENED = ("vgg16", "small-cnn")  # the last feature maps are not averaged before the head
MANY = ("resnet18", "resnet50")  # for more than two classes, too
