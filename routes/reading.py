"""The reading room's own routes: list, progress, case, pixels, answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import streamlit
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services import elicitation_reading, reading
from services.reading import ReadingRefused

from .wording import language, texts

# Neither kept by a browser or a proxy nor named by a fingerprint: an ETag would be one.
_NO_STORE = {"Cache-Control": "no-store"}
# A comment of 10,000 characters may take 60,000 bytes, escaped.
_LONGEST_BODY = 256 * 1024


async def json_answer(call: Callable[..., Any], *arguments: Any) -> Response:
    """What `call` returns, or its refusal, as JSON that nobody keeps."""
    try:
        found = await to_thread.run_sync(call, *arguments)
    except ReadingRefused as refused:
        return JSONResponse({"error": str(refused), **refused.details}, refused.status, _NO_STORE)
    return JSONResponse(found, headers=_NO_STORE)


@cache
def _dark_page(spoken: str) -> str:
    """Streamlit's own page, dark from its first moment: no white flash in a dark reading room."""
    words = texts()[spoken]
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    dark = """<style>
html, body, #root, .stApp { background: #0c0e12 !important; color: #f1f3f6 !important; color-scheme: dark; }
[data-testid="stAppSkeleton"], [data-testid="stHeader"] { display: none !important; }
body::after { content: "OPENING"; position: fixed; inset: 0; display: grid; place-items: center;
  color: #a3adba; font: 15px system-ui, sans-serif; pointer-events: none; }
</style>"""
    dark = dark.replace("OPENING", words["read.opening"])
    return page.replace("</head>", f"{dark}<title>{words['read.title']}</title></head>", 1)


async def show_page(request: Request) -> Response:
    """GET /read: the page that the reading room is mounted on."""
    return HTMLResponse(_dark_page(language(request)), headers=_NO_STORE)


async def pixel_answer(call: Callable[..., bytes], *arguments: Any) -> Response:
    """Raw pixels, or the refusal as JSON."""
    try:
        body = await to_thread.run_sync(call, *arguments)
    except ReadingRefused as refused:
        return JSONResponse({"error": str(refused), **refused.details}, refused.status, _NO_STORE)
    return Response(body, media_type="application/octet-stream", headers=_NO_STORE)


async def show_list(request: Request) -> Response:
    """GET /read/list: the signed-in account's reading list."""
    account = request.scope["account"]

    def listed() -> dict[str, Any]:
        lines = reading.reading_list(request.scope["workspace"], account.id)
        rounds = elicitation_reading.rounds_for(request.scope["workspace"], account.id)
        series = [asdict(line) for line in lines]
        return {"name": account.display_name, "role": account.role, "series": series, "rounds": rounds}

    return await json_answer(listed)


async def show_progress(request: Request) -> Response:
    """GET /read/{series}/cases: title, cases in order and where to go on."""
    account = request.scope["account"]
    series = request.path_params["series"]
    return await json_answer(reading.progress, request.scope["workspace"], account.id, series, account.session_id)


async def show_case(request: Request) -> Response:
    """GET /read/{series}/case/{token}: one case, without its pixels."""
    account = request.scope["account"]
    token = request.path_params["token"]
    return await json_answer(reading.case, request.scope["workspace"], account.id, account.session_id, token)


async def show_pixels(request: Request) -> Response:
    """GET /read/pixels/{token}/{side}: raw little-endian gray values; same headers and length for A and B."""
    account = request.scope["account"]
    token, side = request.path_params["token"], request.path_params["side"]
    return await pixel_answer(reading.pixels, request.scope["workspace"], account.id, account.session_id, token, side)


async def sent_json(request: Request, *names: str) -> dict[str, Any] | Response:
    """The JSON object of a request, or the answer that it is none or lacks one of `names`."""
    body = await request.body()
    try:
        if len(body) > _LONGEST_BODY:
            raise ValueError("longer than 256 KiB")
        sent = json.loads(body)
        found = {**sent, **{name: sent[name] for name in names}}
        if not isinstance(found.get("token", ""), str):
            raise TypeError("the token is no text")
        return found
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"This cannot be read ({type(error).__name__}): send {', '.join(names[:-1])} and {names[-1]}."
        return JSONResponse({"error": message, "code": "unreadable"}, 400, _NO_STORE)


async def save_answer(request: Request) -> Response:
    """POST /read/answer: JSON {token, sequence, answers, seconds, idle?, measures?}; answered after the commit."""
    sent = await sent_json(request, "token", "sequence", "answers", "seconds")
    if isinstance(sent, Response):
        return sent
    account, workspace = request.scope["account"], request.scope["workspace"]

    def save() -> dict[str, Any]:
        saved = reading.save_reading(
            workspace,
            account.id,
            sent["token"],
            sent["sequence"],
            sent["answers"],
            sent["seconds"],
            idle=sent.get("idle", 0.0),
            measures=sent.get("measures"),
        )
        return {
            "sequence": saved.sequence,
            "saved_at": saved.saved_at.isoformat(),
            "complete": saved.complete,
        } | ({"feedback": list(saved.feedback)} if saved.feedback else {})

    return await json_answer(save)


async def save_check(request: Request) -> Response:
    """POST /read/{series}/check: JSON {seen, screen}, what was seen of the test pattern and on which screen."""
    sent = await sent_json(request, "seen", "screen")
    if isinstance(sent, Response):
        return sent
    account, workspace = request.scope["account"], request.scope["workspace"]
    series = request.path_params["series"]

    def save() -> dict[str, Any]:
        reading.save_screen_check(workspace, account.id, account.session_id, series, sent["seen"], sent["screen"])
        return {"kept": True}

    return await json_answer(save)


async def log_viewing(request: Request) -> Response:
    """POST /read/log: JSON {token, visit, events}; what was kept is not counted, so every answer is the same."""
    sent = await sent_json(request, "token", "visit", "events")
    if isinstance(sent, Response):
        return sent
    account, workspace = request.scope["account"], request.scope["workspace"]

    def keep() -> dict[str, Any]:
        reading.log_viewing(workspace, account.id, sent["token"], sent["visit"], sent["events"])
        return {"kept": True}

    return await json_answer(keep)


reading_routes: list[BaseRoute] = [
    Route("/read", show_page, methods=["GET"]),
    Route("/read/list", show_list, methods=["GET"]),
    Route("/read/answer", save_answer, methods=["POST"]),
    Route("/read/log", log_viewing, methods=["POST"]),
    Route("/read/{series}/check", save_check, methods=["POST"]),
    Route("/read/pixels/{token}/{side}", show_pixels, methods=["GET"]),
    Route("/read/{series}/cases", show_progress, methods=["GET"]),
    Route("/read/{series}/case/{token}", show_case, methods=["GET"]),
]
