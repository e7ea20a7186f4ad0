"""The texts of forms and pages that come without a script, in the language of the person who asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from starlette.requests import Request

from services.accounts import AccountError

FALLBACK = "en"


@cache
def texts() -> dict[str, dict[str, str]]:
    """Texts by language; another language is one more file in texts/."""
    folder = Path(__file__).parent / "texts"
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def spoken(asked: str, accepted: str) -> str:
    """The language asked for, else the first that there is of an Accept-Language header, else English."""
    wanted = [asked, *(part.strip()[:2] for part in accepted.split(","))]
    return next((name for name in wanted if name in texts()), FALLBACK)


def language(request: Request, asked: str = "") -> str:
    """The language of a request: `asked`, else ?lang=, else the browser's."""
    return spoken(asked or request.query_params.get("lang", ""), request.headers.get("accept-language", ""))


def day(when: date, words: Mapping[str, str]) -> str:
    """A day as people write it: "24 November 2026", "24. November 2026"."""
    month = words["months"].split(",")[when.month - 1]
    return words["day"].format(day=when.day, month=month, year=when.year)


def refused(error: AccountError, words: Mapping[str, str]) -> str:
    """What an account error says in the language of `words`; its own English words where it has no code."""
    if not error.code:
        return str(error)
    values = {name: day(value, words) if isinstance(value, date) else value for name, value in error.values.items()}
    return words[f"account.refused.{error.code}"].format(**values)
