"""The reading room without a reader, for who designs a study: the same answers to the same questions, nothing to
save."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services import rehearsal
from services.permissions import may
from services.reading import ReadingRefused

from .reading import json_answer, pixel_answer


def _allowed(request: Request, call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, refused for an account that may not see the pairs of the study."""
    workspace, account = request.scope["workspace"], request.scope["account"]

    def asked(*arguments: Any) -> Any:
        if not may(workspace, account.id, request.path_params["study"], "design"):
            message = "This study is not open to you: ask a researcher for a part in it."
            raise ReadingRefused(message, 403, code="no_part")
        return call(workspace, *arguments)

    return asked


async def show_cases(request: Request) -> Response:
    """GET /rehearse/{study}/cases."""
    return await json_answer(_allowed(request, rehearsal.rehearsal), request.path_params["study"])


async def show_case(request: Request) -> Response:
    """GET /rehearse/{study}/case/{position}."""
    study, position = request.path_params["study"], request.path_params["position"]
    return await json_answer(_allowed(request, rehearsal.rehearsal_case), study, position)


async def show_pixels(request: Request) -> Response:
    """GET /rehearse/{study}/pixels/{position}/{side}."""
    study, position, side = (request.path_params[name] for name in ("study", "position", "side"))
    return await pixel_answer(_allowed(request, rehearsal.rehearsal_pixels), study, position, side)


rehearsal_routes: list[BaseRoute] = [
    Route("/rehearse/{study:int}/cases", show_cases, methods=["GET"]),
    Route("/rehearse/{study:int}/case/{position:int}", show_case, methods=["GET"]),
    Route("/rehearse/{study:int}/pixels/{position:int}/{side}", show_pixels, methods=["GET"]),
]
