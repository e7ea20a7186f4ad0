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

from services import reading
from services.reading import ReadingRefused

# Neither kept by a browser or a proxy nor named by a fingerprint: an ETag would be one.
_NO_STORE = {"Cache-Control": "no-store"}
_LONGEST_BODY = 64 * 1024


async def json_answer(call: Callable[..., Any], *arguments: Any) -> Response:
    """What `call` returns, or its refusal, as JSON that nobody keeps."""
    try:
        found = await to_thread.run_sync(call, *arguments)
    except ReadingRefused as refused:
        return JSONResponse({"error": str(refused), **refused.details}, refused.status, _NO_STORE)
    return JSONResponse(found, headers=_NO_STORE)


@cache
def _dark_page() -> str:
    """Streamlit's own page, dark from its first moment: no white flash in a dark reading room."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    dark = """<style>
html, body, #root, .stApp { background: #0c0e12 !important; color: #f1f3f6 !important; color-scheme: dark; }
[data-testid="stAppSkeleton"], [data-testid="stHeader"] { display: none !important; }
body::after { content: "Opening the reading room …"; position: fixed; inset: 0; display: grid; place-items: center;
  color: #a3adba; font: 15px system-ui, sans-serif; pointer-events: none; }
</style>"""
    return page.replace("</head>", f"{dark}<title>Reading</title></head>", 1)


async def show_page(_: Request) -> Response:
    """GET /read: the page that the reading room is mounted on."""
    return HTMLResponse(_dark_page(), headers=_NO_STORE)


async def pixel_answer(call: Callable[..., bytes], *arguments: Any) -> Response:
    """Raw pixels, or the refusal as JSON."""
    try:
        body = await to_thread.run_sync(call, *arguments)
    except ReadingRefused as refused:
        return JSONResponse({"error": str(refused)}, refused.status, _NO_STORE)
    return Response(body, media_type="application/octet-stream", headers=_NO_STORE)


async def show_list(request: Request) -> Response:
    """GET /read/list: the signed-in account's reading list."""
    account = request.scope["account"]

    def listed() -> dict[str, Any]:
        lines = reading.reading_list(request.scope["workspace"], account.id)
        return {"name": account.display_name, "role": account.role, "series": [asdict(s) for s in lines]}

    return await json_answer(listed)


async def show_progress(request: Request) -> Response:
    """GET /read/{series}/cases: title, cases in order and where to go on."""
    account = request.scope["account"]
    series = request.path_params["series"]
    return await json_answer(reading.progress, request.scope["workspace"], account.id, series)


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


async def save_answer(request: Request) -> Response:
    """POST /read/answer: JSON {token, sequence, answers, seconds}; answered only after the commit."""
    body = await request.body()
    try:
        if len(body) > _LONGEST_BODY:
            raise ValueError("longer than 64 KiB")
        sent = json.loads(body)
        arguments = (sent["token"], sent["sequence"], sent["answers"], sent["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"This is not an answer ({type(error).__name__}): send token, sequence, answers and seconds."
        return JSONResponse({"error": message}, 400, _NO_STORE)

    def save() -> dict[str, Any]:
        account = request.scope["account"]
        saved = reading.save_reading(request.scope["workspace"], account.id, *arguments)
        return {
            "sequence": saved.sequence,
            "saved_at": saved.saved_at.isoformat(),
            "complete": saved.complete,
        }

    return await json_answer(save)


reading_routes: list[BaseRoute] = [
    Route("/read", show_page, methods=["GET"]),
    Route("/read/list", show_list, methods=["GET"]),
    Route("/read/answer", save_answer, methods=["POST"]),
    Route("/read/pixels/{token}/{side}", show_pixels, methods=["GET"]),
    Route("/read/{series}/cases", show_progress, methods=["GET"]),
    Route("/read/{series}/case/{token}", show_case, methods=["GET"]),
]
