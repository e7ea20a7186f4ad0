"""The door: every request passes here before any route, ours or Streamlit's."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, urlsplit

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.accounts import COOKIE, AccountView, account_for_token
from services.workspace import Workspace

# Open to everybody: the forms themselves, the front end's code, and what a health check asks for.
PUBLIC = ("/auth/", "/invite/", "/static/", "/favicon.png", "/_stcore/health", "/_stcore/host-config")
# Of Streamlit's own endpoints a reader needs the script's channel and nothing else.
NOT_FOR_READERS = ("/adjudicate/", "/media/", "/component/", "/app/", "/_stcore/", "/rehearse/", "/views/")
# State-changing requests below these are ours and must come from our own pages; Streamlit guards its own.
OURS = ("/adjudicate/", "/auth/", "/invite/", "/profile/", "/read/", "/rehearse/")
READING = ("/adjudicate/", "/read/", "/rehearse/")
# Streamed as it is computed: a compressor would hold the first picture back.
STREAMED = ("/views/",)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # "no-referrer" would make browsers send "Origin: null" with our forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that this request comes from a page of the same origin."""
    if (site := headers.get("sec-fetch-site")) is not None and site != "same-origin":
        return False
    origin, host = headers.get("origin"), headers.get("host")
    return bool(origin and host) and urlsplit(origin or "").netloc == host


def _wants_document(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


class Guard:
    """ASGI middleware: who is asking, may they, and does the request come from our own pages.

    A colleague reaches the studio's script, which shows the pages of the parts that he or she has.

    Puts `workspace` and `account` (AccountView or None) into the scope. Signed out, a page request is sent to the
    sign-in form and anything else gets 401; a reader is sent to the reading list and gets 403 for anything else
    outside it. Websockets pass: the script behind them asks for the account itself at every run.
    """

    def __init__(self, app: ASGIApp, workspace: Callable[[], Workspace]) -> None:
        self.app = app
        self.workspace = workspace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith("/static/"):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        scope["workspace"] = self.workspace()
        scope["account"] = await to_thread.run_sync(
            account_for_token, scope["workspace"], connection.cookies.get(COOKIE)
        )
        if path.startswith(READING + STREAMED):
            # Reading: no length may tell one side or one arm from the other, so nothing here is ever compressed.
            kept = [(k, v) for k, v in scope["headers"] if k.lower() != b"accept-encoding"]
            scope = {**scope, "headers": kept}
        answer = _refusal(scope["method"], path, connection, scope["account"])
        await (answer or self.app)(scope, receive, _with_headers(send))


def _refusal(method: str, path: str, request: HTTPConnection, account: AccountView | None) -> Response | None:
    headers = request.headers
    if method not in ("GET", "HEAD", "OPTIONS") and path.startswith(OURS) and not same_origin(headers):
        return _refused("This request did not come from a page of this server.", 403, "foreign")
    if path.startswith(PUBLIC):
        return None
    if account is None:
        if method == "GET" and _wants_document(headers):
            query = f"?{request.url.query}" if request.url.query else ""
            following = "" if path == "/" else f"?next={quote(path + query, safe='')}"
            return RedirectResponse(f"/auth/sign-in{following}", 303, {"Cache-Control": "no-store"})
        return _refused("You are signed out. Sign in again.", 401, "signed_out")
    if account.role == "researcher":
        return None
    if account.role == "colleague":
        # The script and the services ask which parts this person has; Explore belongs to no single study.
        closed = path.startswith("/views/")
        return _refused("This is open to researchers only.", 403, "researchers_only") if closed else None
    if path.startswith(NOT_FOR_READERS):
        return _refused("This is not open to readers.", 403, "not_for_readers")
    if path != "/read" and not path.startswith("/profile/") and method == "GET" and _wants_document(headers):
        return RedirectResponse("/read", 303, {"Cache-Control": "no-store"})
    return None


def _refused(message: str, status: int, code: str) -> Response:
    """A refusal as `services.reading.ReadingRefused` is told: `code` names its text in the reader's language."""
    return JSONResponse({"error": message, "code": code}, status, {"Cache-Control": "no-store"})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
