"""The networks that can be trained here, as people read them. No torch here: pages read it."""

from __future__ import annotations

TITLES: dict[str, str] = {"densenet121": "DenseNet-121", "vgg16": "VGG-16", "small-cnn": "Small CNN"}
WIDE = ("vgg16", "small-cnn")  # with a width of their own
