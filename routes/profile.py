"""Who a reader is, asked once before the first case: a plain form in the reader's language."""

from __future__ import annotations

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from services import reader_profiles, reading
from services.reader_profiles import ProfileRefused
from services.reading import ReadingRefused

from .accounts import page
from .wording import language, texts


async def _form(
    request: Request, seat: reading.Seat, asked: str, status: int = 200, error: str = "", **entered: Any
) -> HTMLResponse:
    name = language(request, asked)
    words = texts()[name]
    settings = await to_thread.run_sync(reader_profiles.desk_settings, request.scope["workspace"], seat.study_id)
    number = settings.ethics_number
    return page(
        "profile.html",
        status,
        name,
        lead=words["profile.lead"].format(label=seat.label, title=seat.title),
        specialties=words["profile.specialties"].split("|"),
        ethics_hint=words["profile.ethics.hint"].format(number=number) if number else words["profile.ethics.none"],
        consent=settings.consent_text or words["profile.consent.text"],
        entered=entered,
        error=words.get(f"profile.refused.{error}", "") if error else "",
    )


async def _seat(request: Request) -> reading.Seat | Response:
    account, series = request.scope["account"], request.path_params["series"]
    try:
        return await to_thread.run_sync(reading.seat, request.scope["workspace"], account.id, series)
    except ReadingRefused:
        # Withdrawn, or somebody else's: the list shows what there is.
        return RedirectResponse("/read", 303, {"Cache-Control": "no-store"})


async def show_profile(request: Request) -> Response:
    """GET /profile/{series}: the form, empty."""
    seat = await _seat(request)
    return seat if isinstance(seat, Response) else await _form(request, seat, request.query_params.get("lang", ""))


async def save_profile(request: Request) -> Response:
    """POST /profile/{series}: fields specialty, years, ethics_number, consent; then on to the first case."""
    seat = await _seat(request)
    if isinstance(seat, Response):
        return seat
    form = await request.form()
    entered: dict[str, Any] = {name: str(form.get(name, "")) for name in ("specialty", "years", "ethics_number")}
    entered["consent"] = form.get("consent") == "yes"
    asked, place = str(form.get("lang", "")), request.scope["workspace"]
    shown = texts()[language(request, asked)]["profile.consent.text"]
    try:
        await to_thread.run_sync(reader_profiles.save_profile, place, seat.reader_id, entered, shown)
    except ProfileRefused as refused:
        return await _form(request, seat, asked, 422, refused.field, **entered)
    series = request.path_params["series"]
    return RedirectResponse(f"/read?series={series}", 303, {"Cache-Control": "no-store"})


profile_routes: list[BaseRoute] = [
    Route("/profile/{series}", show_profile, methods=["GET"]),
    Route("/profile/{series}", save_profile, methods=["POST"]),
]
