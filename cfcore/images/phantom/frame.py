"""Pixels of one image in patient coordinates."""

from dataclasses import dataclass

import numpy as np

from .geometry import RIGHT, U_HIGH, V_HIGH, V_LOW, Geometry
from .texture import _smooth_basis

Array = np.ndarray


@dataclass(frozen=True)
class Frame:
    """Patient coordinates of every pixel, and table look-ups on them.

    u, v: (size, size) float32; x: (1, size) and y: (size, 1) shares of the image; pitch: pixel in patient
    units.
    """

    size: int
    pitch: float
    x: Array
    y: Array
    u: Array
    v: Array
    abs_u: Array
    row: Array  # indices into tables over v
    column: Array  # indices into (2, n) tables over side and |u|, flattened
    shape: Geometry

    @classmethod
    def of(cls, g: Geometry, size: int) -> "Frame":
        """Frame of `size` pixels a side for a patient's positioning."""
        a = g.anatomy
        centre = (np.arange(size, dtype=np.float32) + 0.5) / size
        x, y = centre[None, :], centre[:, None]
        c, s = np.float32(np.cos(a.angle) / a.scale), np.float32(np.sin(a.angle) / a.scale)
        dx, dy = x - np.float32(a.centre[0]), y - np.float32(a.centre[1])
        u, v = c * dx + s * dy, c * dy - s * dx
        abs_u = np.abs(u)
        row = ((v - V_LOW) * ((g.n - 1) / (V_HIGH - V_LOW)) + 0.5).astype(np.intp)
        np.clip(row, 0, g.n - 1, out=row)
        column = np.minimum((abs_u * ((g.n - 1) / U_HIGH) + 0.5).astype(np.intp), g.n - 1)
        column += np.where(u < 0, RIGHT, g.n)
        return cls(size, 1.0 / (size * a.scale), x, y, u, v, abs_u, row, column, g)

    def by_v(self, table: Array) -> Array:
        """(size, size) values of a table over v."""
        return table.astype(np.float32).take(self.row)

    def by_u(self, tables: Array) -> Array:
        """(size, size) values of a (2, n) table over side and |u|."""
        return tables.astype(np.float32).ravel().take(self.column)

    def place(self, points: Array) -> Array:
        """Image positions (shares of the image) of (2, n) patient coordinates."""
        a = self.shape.anatomy
        c, s = np.cos(a.angle) * a.scale, np.sin(a.angle) * a.scale
        return np.stack([a.centre[0] + c * points[0] - s * points[1], a.centre[1] + s * points[0] + c * points[1]])

    def window(self, u0: float, u1: float, v0: float, v1: float) -> tuple[slice, slice] | None:
        """Pixels that hold a box in patient coordinates; None where it lies outside."""
        corners = self.place(np.array([[u0, u0, u1, u1], [v0, v1, v0, v1]])) * self.size
        low = np.maximum(np.floor(corners.min(1)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(corners.max(1)).astype(int) + 1, self.size)
        if (low >= high).any():
            return None
        return slice(low[1], high[1]), slice(low[0], high[0])

    def blur(self, image: Array) -> Array:
        """Very smooth version of an image (scatter)."""
        cells = 8
        k = self.size // cells
        cut = k * cells
        coarse = image[:cut, :cut].reshape(cells, k, cells, k).mean((1, 3))
        basis = _smooth_basis(cells, self.size)
        return basis @ coarse.astype(np.float32) @ basis.T
