"""The reading room without a reader, for researchers: the same answers to the same questions, nothing to save."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services import rehearsal

from .reading import json_answer, pixel_answer


async def show_cases(request: Request) -> Response:
    """GET /rehearse/{study}/cases."""
    return await json_answer(rehearsal.rehearsal, request.scope["workspace"], request.path_params["study"])


async def show_case(request: Request) -> Response:
    """GET /rehearse/{study}/case/{position}."""
    study, position = request.path_params["study"], request.path_params["position"]
    return await json_answer(rehearsal.rehearsal_case, request.scope["workspace"], study, position)


async def show_pixels(request: Request) -> Response:
    """GET /rehearse/{study}/pixels/{position}/{side}."""
    study, position, side = (request.path_params[name] for name in ("study", "position", "side"))
    return await pixel_answer(rehearsal.rehearsal_pixels, request.scope["workspace"], study, position, side)


rehearsal_routes: list[BaseRoute] = [
    Route("/rehearse/{study:int}/cases", show_cases, methods=["GET"]),
    Route("/rehearse/{study:int}/case/{position:int}", show_case, methods=["GET"]),
    Route("/rehearse/{study:int}/pixels/{position:int}/{side}", show_pixels, methods=["GET"]),
]
