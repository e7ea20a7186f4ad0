"""What Explore draws: an image, its pictures along a direction, where its class changes there, heat maps, effects,
least changes, galleries, exports. Read only.

All are GET and take `run`, `image` and `rendering`; `moves` is JSON, {"v3 +": 4.5, ...}, a method without named
directions calls its one "". Researchers only: `routes.guard` sees to it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, cast

import numpy as np
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cfcore.rendering import Rendering
from services import animation, direction_gallery, intended, mixing, move_gallery, overlay, paths
from services.explore import NothingToExplore
from services.paths import Moves, Scene

_NO_STORE = {"Cache-Control": "no-store"}


class _Asked:
    """The query of a request. Raises ValueError that names what is wrong with it."""

    def __init__(self, request: Request) -> None:
        self.query = request.query_params
        self.workspace = request.scope["workspace"]

    def number(self, name: str, default: float | None = None) -> float:
        text = self.query.get(name)
        if text is None and default is not None:
            return default
        try:
            value = float(text or "")
        except ValueError:
            raise ValueError(f"{name} must be a number, not {text!r}") from None
        if not np.isfinite(value):
            raise ValueError(f"{name} must be finite, not {text!r}")
        return value

    def whole(self, name: str) -> int:
        return int(self.number(name))

    @property
    def rendering(self) -> Rendering:
        return cast(Rendering, self.query.get("rendering", ""))

    @property
    def direction(self) -> str | None:
        return self.query.get("direction") or None

    @property
    def directions(self) -> list[str]:
        try:
            return [str(name) for name in json.loads(self.query.get("directions", ""))]
        except (ValueError, TypeError):
            raise ValueError('directions must be a JSON list like ["v3 +"]') from None

    @property
    def moves(self) -> Moves:
        try:
            given = json.loads(self.query.get("moves", "{}"))
            return paths.moves_of(*((name or None, float(degree)) for name, degree in given.items()))
        except (ValueError, TypeError, AttributeError):
            raise ValueError('moves must be JSON like {"v3 +": 4.5}') from None

    @property
    def held(self) -> Moves:
        """The moves beside the direction that is asked for."""
        return tuple(pair for pair in self.moves if pair[0] != self.direction)

    def scene(self) -> Scene:
        return paths.scene(self.workspace, self.whole("run"), self.whole("image"), self.rendering)


async def _answer(request: Request, work: Callable[[_Asked], Response]) -> Response:
    try:
        return await to_thread.run_sync(lambda: work(_Asked(request)))
    except (NothingToExplore, ValueError, FileNotFoundError) as error:
        return JSONResponse({"error": str(error)}, 400, _NO_STORE)


def _head(told: dict[str, Any]) -> bytes:
    """A length and JSON of that length, so that float32 values may follow where a browser can read them in place."""
    text = json.dumps(told).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text


def _stream(parts: Iterator[bytes], media: str) -> Response:
    """The first part is computed here, so that what is wrong with the question is said with a status."""
    first = next(parts, b"")

    def every() -> Iterator[bytes]:
        yield first
        yield from parts

    return StreamingResponse(every(), media_type=media, headers=_NO_STORE)


async def show_scene(request: Request) -> Response:
    """GET /views/scene: a length (uint32), so many bytes of JSON (a multiple of 4), then float32 values: before,
    original where it is another picture, reconstruction, and the weights of rows and columns where there are any."""

    def work(asked: _Asked) -> Response:
        scene = asked.scene()
        arrays = {"before": scene.before, "reconstruction": scene.reconstruction}
        if scene.original is not scene.before:
            arrays["original"] = scene.original
        if scene.rows is not None and scene.columns is not None:
            arrays |= {"rows": scene.rows, "columns": scene.columns}
        change = scene.reconstruction.shape if scene.rows is not None or not scene.step else scene.before.shape
        head = {
            "arrays": [[name, *array.shape] for name, array in arrays.items()],
            "change": change,
            "step": scene.step,
            "degrees": scene.degrees,
            "p_source": scene.p_source,
            "p_reconstruction": scene.p_reconstruction,
        }
        body = [_head(head), *(a.astype("<f4").tobytes() for a in arrays.values())]
        return Response(b"".join(body), media_type="application/octet-stream", headers=_NO_STORE)

    return await _answer(request, work)


async def show_path(request: Request) -> Response:
    """GET /views/path: the frames of `direction` with the other `moves` held, `at` first; `only=1`: that one alone."""

    def work(asked: _Asked) -> Response:
        scene = asked.scene()
        wanted = paths.along(scene, asked.direction, asked.held, asked.number("at", 0.0))
        if asked.query.get("only"):
            wanted = wanted[:1]
        return _stream(paths.records(scene, wanted), "application/octet-stream")

    return await _answer(request, work)


async def show_boundary(request: Request) -> Response:
    """GET /views/boundary: where the class changes along `direction` with the other `moves` held, nearest to 0."""
    return await _answer(
        request,
        lambda asked: JSONResponse(
            asdict(mixing.boundary_along(asked.scene(), asked.direction, asked.held)), headers=_NO_STORE
        ),
    )


async def show_intended(request: Request) -> Response:
    """GET /views/intended: what an engine that goes one way intends at the slider's degrees of `direction` and `at`."""

    def work(asked: _Asked) -> Response:
        at = asked.number("at") if "at" in asked.query else None
        found = intended.intended_along(asked.scene(), asked.direction, at)
        return JSONResponse(asdict(found), headers=_NO_STORE)

    return await _answer(request, work)


async def show_map(request: Request) -> Response:
    """GET /views/map: the heat map `map` as a length (uint32), so many bytes of JSON {"h", "w", "signed"} (a multiple
    of 4), then h w float32 values over the image padded to a square."""

    def work(asked: _Asked) -> Response:
        found = overlay.heat_map(asked.workspace, asked.whole("run"), asked.whole("image"), asked.query.get("map", ""))
        h, w = found.values.shape
        head = _head({"h": h, "w": w, "signed": found.signed})
        content = head + found.values.astype("<f4").tobytes()
        return Response(content, media_type="application/octet-stream", headers=_NO_STORE)

    return await _answer(request, work)


async def show_effects(request: Request) -> Response:
    """GET /views/effects: what each of `moves` does to the probability, alone and left out."""
    return await _answer(
        request, lambda asked: JSONResponse(asdict(mixing.effects(asked.scene(), asked.moves)), headers=_NO_STORE)
    )


async def show_least(request: Request) -> Response:
    """GET /views/least: for each of `directions` (JSON list) one line of JSON, the least change that flips."""

    def work(asked: _Asked) -> Response:
        found = mixing.least_changes(asked.scene(), [name or None for name in asked.directions], asked.moves)
        return _stream((json.dumps(asdict(one)).encode() + b"\n" for one in found), "application/x-ndjson")

    return await _answer(request, work)


async def show_gallery(request: Request) -> Response:
    """GET /views/gallery: `images` (numbers with commas) moved by `moves`."""

    def work(asked: _Asked) -> Response:
        ids = [int(text) for text in asked.query.get("images", "").split(",") if text.isdigit()]
        found = move_gallery.moved_images(asked.workspace, asked.whole("run"), ids, asked.moves, asked.rendering)
        return JSONResponse([asdict(one) for one in found], headers=_NO_STORE)

    return await _answer(request, work)


async def show_directions(request: Request) -> Response:
    """GET /views/directions: the image moved by `degree` along each of `directions` (JSON list) alone."""

    def work(asked: _Asked) -> Response:
        found = direction_gallery.moved_directions(asked.scene(), asked.directions, asked.number("degree"))
        return JSONResponse(asdict(found), headers=_NO_STORE)

    return await _answer(request, work)


async def export(request: Request) -> Response:
    """GET /views/export: the still or the film of `direction` to `degree` as `format`; its name holds numbers only."""

    def work(asked: _Asked) -> Response:
        scene = asked.scene()
        kind = asked.query.get("format", "")
        content, media, ending = animation.export(scene, asked.direction, asked.number("degree"), asked.held, kind)
        name = f"explore-run{asked.whole('run')}-image{asked.whole('image')}.{ending}"
        return Response(
            content, media_type=media, headers=_NO_STORE | {"Content-Disposition": f'attachment; filename="{name}"'}
        )

    return await _answer(request, work)


views_routes: list[BaseRoute] = [
    Route("/views/scene", show_scene, methods=["GET"]),
    Route("/views/path", show_path, methods=["GET"]),
    Route("/views/boundary", show_boundary, methods=["GET"]),
    Route("/views/intended", show_intended, methods=["GET"]),
    Route("/views/map", show_map, methods=["GET"]),
    Route("/views/effects", show_effects, methods=["GET"]),
    Route("/views/least", show_least, methods=["GET"]),
    Route("/views/gallery", show_gallery, methods=["GET"]),
    Route("/views/directions", show_directions, methods=["GET"]),
    Route("/views/export", export, methods=["GET"]),
]
