"""What the measurable factors of a phantom are called; light, so that pages can name them without torch."""

from collections.abc import Mapping

LABELS: Mapping[str, str] = {
    "cardiothoracic_ratio": "Cardiothoracic ratio",
    "effusion": "Effusion, both sides (share of the height)",
    "mediastinal_shift": "Mediastinal shift (half-widths)",
    "atelectasis": "Atelectasis, both sides",
    "opacity": "Opacity",
    "lucency": "Lucency",
    "congestion": "Congestion",
    "barrel": "Barrel-shaped thorax",
    "build": "Build",
    "age": "Age (years)",
    "device": "Pacemaker (score)",
}
