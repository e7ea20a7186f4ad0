"""Signing in and out, and invitations: plain server-rendered forms that need neither script nor websocket."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from anyio import to_thread
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from services import accounts, invitations
from services.accounts import COOKIE, SESSION_LENGTH, AccountError, TooManyAttempts

from .wording import language, refused, texts

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
)
_POLICY = "default-src 'none'; style-src 'self' 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"


def page(name: str, status: int, spoken: str, **values: object) -> HTMLResponse:
    """A template, filled in in the language `spoken`; nobody keeps it and no script runs in it."""
    common = {"t": texts()[spoken], "language": spoken, "languages": texts()}
    html = _templates.get_template(name).render(minimum=accounts.MINIMUM_PASSWORD, **common, **values)
    return HTMLResponse(html, status, {"Cache-Control": "no-store", "Content-Security-Policy": _POLICY})


def _local(path: str, otherwise: str = "/") -> str:
    """`path` if it stays on this server, else `otherwise`: a sign-in link must not lead to a foreign page."""
    parts = urlsplit(path)
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if plain and not parts.scheme and not parts.netloc else otherwise


def _is_loopback(address: str) -> bool:
    """Whether an address is this machine's own. A server that listens on :: sees 127.0.0.1 as ::ffff:127.0.0.1."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def _at_home(request: Request) -> bool:
    """Whether browser and server are one machine: by address and by the name that the browser asked for."""
    try:
        near = request.client is not None and _is_loopback(request.client.host)
    except ValueError:
        near = False
    named = request.url.hostname in ("localhost", "127.0.0.1", "::1")
    return (near and named) or os.environ.get("CFREADER_OPEN_DEMO") == "1"


def _signed_in(request: Request, token: str, following: str) -> Response:
    response = RedirectResponse(following, 303, {"Cache-Control": "no-store"})
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LENGTH.total_seconds()),
        httponly=True,
        # Lax, not Strict: a link to a study in an e-mail must find its reader signed in. No GET changes anything.
        samesite="lax",
        secure=request.url.scheme == "https" or os.environ.get("CFREADER_HTTPS") == "1",
    )
    return response


def _home(role: str) -> str:
    return "/read" if role == "reader" else "/"


def _form(
    request: Request, status: int = 200, error: AccountError | None = None, lang: str = "", **values: object
) -> HTMLResponse:
    demo = accounts.is_demo(request.scope["workspace"]) and _at_home(request)
    spoken = language(request, lang)
    said = refused(error, texts()[spoken]) if error else ""
    return page("sign_in.html", status, spoken, demo=demo, error=said, **values)


async def show_sign_in(request: Request) -> Response:
    """GET /auth/sign-in: the form; who is signed in already goes on."""
    following = _local(request.query_params.get("next", ""), "")
    if account := request.scope["account"]:
        return RedirectResponse(following or _home(account.role), 303, {"Cache-Control": "no-store"})
    return _form(request, next=following)


async def sign_in(request: Request) -> Response:
    """POST /auth/sign-in: form fields login, password, next."""
    form = await request.form()
    login, password = str(form.get("login", "")), str(form.get("password", ""))
    following = _local(str(form.get("next", "")), "")
    workspace = request.scope["workspace"]
    address = request.client.host if request.client else ""
    try:
        token = await to_thread.run_sync(accounts.sign_in, workspace, login, password, address)
    except AccountError as error:
        status = 429 if isinstance(error, TooManyAttempts) else 401
        response = _form(request, status, error, str(form.get("lang", "")), login=login, next=following)
        if isinstance(error, TooManyAttempts):
            response.headers["Retry-After"] = str(int(error.seconds) + 1)
        return response
    account = await to_thread.run_sync(accounts.account_for_token, workspace, token)
    return _signed_in(request, token, following or _home(account.role if account else ""))


async def open_demo(request: Request) -> Response:
    """POST /auth/demo: field role; only in a demo workspace, and only from the same machine."""
    form = await request.form()
    role = str(form.get("role", ""))
    if not _at_home(request):
        message = "The demo opens only on the machine that it runs on."
        return _form(request, 403, AccountError(message, "demo_elsewhere"))
    try:
        token = await to_thread.run_sync(accounts.open_demo, request.scope["workspace"], role)
    except AccountError as error:
        return _form(request, 403, error)
    return _signed_in(request, token, _home(role))


async def sign_out(request: Request) -> Response:
    """POST /auth/sign-out: ends the server-side session and drops the cookie."""
    await to_thread.run_sync(accounts.sign_out, request.scope["workspace"], request.cookies.get(COOKIE))
    response = RedirectResponse("/auth/sign-in", 303, {"Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


async def show_invitation(request: Request) -> Response:
    """GET /invite/{token}: the form. Changes nothing, since mail scanners open links."""
    workspace, token = request.scope["workspace"], request.path_params["token"]
    found = await to_thread.run_sync(invitations.invitation, workspace, token)
    if found is None:
        return await _dead_link(request, token)
    return page("invite.html", 200, language(request), invitation=found)


async def _dead_link(request: Request, token: str, lang: str = "") -> Response:
    problem = await to_thread.run_sync(invitations.why_dead, request.scope["workspace"], token)
    spoken = language(request, lang)
    said = refused(problem, texts()[spoken]) if problem else ""
    return page("invite.html", 410, spoken, invitation=None, problem=said)


async def accept_invitation(request: Request) -> Response:
    """POST /invite/{token}: fields password, again; sets the password, uses the link up, signs in."""
    workspace, token = request.scope["workspace"], request.path_params["token"]
    form = await request.form()
    password = str(form.get("password", ""))
    found = await to_thread.run_sync(invitations.invitation, workspace, token)
    asked = str(form.get("lang", ""))
    if found is None:
        return await _dead_link(request, token, asked)
    try:
        if password != str(form.get("again", "")):
            raise AccountError("The two passwords differ. Type the same one twice.", "differ")
        cookie = await to_thread.run_sync(invitations.accept_invitation, workspace, token, password)
    except AccountError as problem:
        spoken = language(request, asked)
        return page("invite.html", 422, spoken, invitation=found, error=refused(problem, texts()[spoken]))
    return _signed_in(request, cookie, _home(found.role))


account_routes: list[BaseRoute] = [
    Route("/auth/sign-in", show_sign_in, methods=["GET"]),
    Route("/auth/sign-in", sign_in, methods=["POST"]),
    Route("/auth/sign-out", sign_out, methods=["POST"]),
    Route("/auth/demo", open_demo, methods=["POST"]),
    Route("/invite/{token}", show_invitation, methods=["GET"]),
    Route("/invite/{token}", accept_invitation, methods=["POST"]),
]
