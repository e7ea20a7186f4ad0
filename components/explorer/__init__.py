"""The viewer of Explore: pictures, degree, curve, mixing desk and gallery, drawn in the browser."""

from .component import explorer

__all__ = ["explorer"]
