"""The reading room for the chair of an adjudication: disputed cases, blind, with the readers' answers counted."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services import adjudication

from .reading import json_answer, pixel_answer, sent_json


async def show_cases(request: Request) -> Response:
    """GET /adjudicate/{study}/cases."""
    scope, study = request.scope, request.path_params["study"]
    return await json_answer(adjudication.chair_cases, scope["workspace"], scope["account"].id, study)


async def show_case(request: Request) -> Response:
    """GET /adjudicate/{study}/case/{token}."""
    account, path = request.scope["account"], request.path_params
    arguments = (account.id, account.session_id, path["study"], path["token"])
    return await json_answer(adjudication.chair_case, request.scope["workspace"], *arguments)


async def show_pixels(request: Request) -> Response:
    """GET /adjudicate/{study}/pixels/{name}/{side}."""
    account, path = request.scope["account"], request.path_params
    arguments = (account.id, account.session_id, path["study"], path["name"], path["side"])
    return await pixel_answer(adjudication.chair_pixels, request.scope["workspace"], *arguments)


async def save_decision(request: Request) -> Response:
    """POST /adjudicate/{study}/answer: JSON {token, sequence, answers}; answered after the commit."""
    body = await sent_json(request, "token", "sequence", "answers")
    if isinstance(body, Response):
        return body
    account, study = request.scope["account"], request.path_params["study"]
    workspace = request.scope["workspace"]

    def decide() -> dict[str, Any]:
        arguments = (account.id, study, body["token"], body["sequence"], body["answers"])
        saved = adjudication.decide(workspace, *arguments)
        return {"sequence": saved.sequence, "saved_at": saved.saved_at.isoformat(), "complete": saved.complete}

    return await json_answer(decide)


adjudication_routes: list[BaseRoute] = [
    Route("/adjudicate/{study:int}/cases", show_cases, methods=["GET"]),
    Route("/adjudicate/{study:int}/case/{token}", show_case, methods=["GET"]),
    Route("/adjudicate/{study:int}/pixels/{name}/{side}", show_pixels, methods=["GET"]),
    Route("/adjudicate/{study:int}/answer", save_decision, methods=["POST"]),
]
