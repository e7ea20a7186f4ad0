"""The elicitation round in the reading area: one round, its pictures, the reader's proposals and confirmation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services import elicitation_reading as rounds

from .reading import json_answer, pixel_answer

_LONGEST_BODY = 64 * 1024
_NO_STORE = {"Cache-Control": "no-store"}


async def show_round(request: Request) -> Response:
    """GET /read/round/{token}: what is asked, own proposals, pictures, the merged list."""
    account = request.scope["account"]
    token = request.path_params["token"]
    return await json_answer(rounds.round_for, request.scope["workspace"], account.id, account.session_id, token)


async def show_pixels(request: Request) -> Response:
    """GET /read/round/pixels/{name}/{side}: raw little-endian gray values, as in the reading room."""
    account = request.scope["account"]
    name, side = request.path_params["name"], request.path_params["side"]
    workspace = request.scope["workspace"]
    return await pixel_answer(rounds.round_pixels, workspace, account.id, account.session_id, name, side)


async def save_proposals(request: Request) -> Response:
    """POST /read/round/{token}/proposals: JSON {proposals: [{label, kind}]}."""
    return await _saved(request, rounds.propose, lambda sent: (sent["proposals"],))


async def save_confirmation(request: Request) -> Response:
    """POST /read/round/{token}/confirm: JSON {digest, objection}; an empty objection confirms."""
    return await _saved(request, rounds.confirm, lambda sent: (sent["digest"], sent.get("objection", "")))


async def _saved(request: Request, save: Callable[..., Any], read: Callable[[Any], tuple[Any, ...]]) -> Response:
    body = await request.body()
    try:
        if len(body) > _LONGEST_BODY:
            raise ValueError("longer than 64 KiB")
        arguments = read(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"This cannot be read ({type(error).__name__}): reload the page."
        return JSONResponse({"error": message, "code": "unreadable"}, 400, _NO_STORE)
    account = request.scope["account"]
    return await json_answer(save, request.scope["workspace"], account.id, request.path_params["token"], *arguments)


elicitation_routes: list[BaseRoute] = [
    Route("/read/round/{token}", show_round, methods=["GET"]),
    Route("/read/round/pixels/{name}/{side}", show_pixels, methods=["GET"]),
    Route("/read/round/{token}/proposals", save_proposals, methods=["POST"]),
    Route("/read/round/{token}/confirm", save_confirmation, methods=["POST"]),
]
