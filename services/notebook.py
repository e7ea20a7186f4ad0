"""The notebook: an ordered, lasting record of what was tried and seen, with notes; it re-runs and goes into reports."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from markdown_it import MarkdownIt
from sqlalchemy.orm import Session

from db.events import record
from db.models import Entry, Study
from services.workspace import Workspace

ViewKind = Literal["explore", "run", "results"]
PAGES: dict[str, str] = {"explore": "explore", "run": "runs", "results": "results"}
LONGEST_TITLE, LONGEST_NOTE = 200, 20_000


class EntryRefused(ValueError):
    """The entry cannot be kept or changed; the message says why."""


@dataclass(frozen=True)
class EntryView:
    """An entry as pages show it. `page` and `query` open the view that was kept, at its settings."""

    id: int
    title: str
    note: str
    view: str
    settings: dict[str, Any]
    has_picture: bool
    study_id: int | None
    study: str | None
    author: str
    created_at: datetime
    page: str
    query: dict[str, str]


def keep(
    workspace: Workspace,
    view: ViewKind,
    title: str,
    settings: dict[str, Any],
    *,
    note: str = "",
    picture: bytes | None = None,
    study_id: int | None = None,
    author: str,
) -> int:
    """Append an entry at the end and return its id.

    Args:
        view: the page it was seen on. settings: what shows it again; plain values become the page's query.
        note: Markdown. picture: PNG of what was seen.

    Raises:
        EntryRefused: no title, one too long, or an unknown page.
    """
    if view not in PAGES:
        raise EntryRefused(f"no view {view!r} can be kept; choose one of: {', '.join(PAGES)}")
    title, note = _checked(title, note)
    key = None if picture is None else workspace.put(picture, ".png")
    with workspace.session() as session:
        last = session.scalar(sa.select(sa.func.max(Entry.position)))
        entry = Entry(
            position=(last or 0.0) + 1.0,
            title=title,
            note=note,
            view=view,
            settings=settings,
            picture_key=key,
            study_id=study_id,
            author=author,
        )
        session.add(entry)
        session.flush()
        record(session, author, "entry kept", f"entry {entry.id}", view=view)
        return entry.id


def _checked(title: str, note: str) -> tuple[str, str]:
    title = " ".join(title.split())
    if not title:
        raise EntryRefused("the entry needs a title")
    for text, longest, what in ((title, LONGEST_TITLE, "title"), (note, LONGEST_NOTE, "note")):
        if len(text) > longest:
            raise EntryRefused(f"the {what} has {len(text)} characters; {longest} fit")
    return title, note.strip()


def list_entries(workspace: Workspace, study_id: int | None = None) -> list[EntryView]:
    """All entries in their order, or those linked to one study."""
    query = sa.select(Entry, Study.title).outerjoin(Study, Entry.study_id == Study.id).order_by(*_ORDER)
    if study_id is not None:
        query = query.where(Entry.study_id == study_id)
    with workspace.session() as session:
        return [_view(entry, study) for entry, study in session.execute(query).tuples()]


_ORDER = (Entry.position, Entry.id)


def _view(entry: Entry, study: str | None) -> EntryView:
    plain = {key: str(v) for key, v in entry.settings.items() if isinstance(v, str | int | float) and v != ""}
    return EntryView(
        id=entry.id,
        title=entry.title,
        note=entry.note,
        view=entry.view,
        settings=entry.settings,
        has_picture=entry.picture_key is not None,
        study_id=entry.study_id,
        study=study,
        author=entry.author,
        created_at=entry.created_at,
        page=PAGES.get(entry.view, "notebook"),
        query=plain,
    )


def picture(workspace: Workspace, entry_id: int) -> bytes | None:
    """The PNG of an entry, None where it has none or its file is gone."""
    with workspace.session() as session:
        key = session.scalar(sa.select(Entry.picture_key).where(Entry.id == entry_id))
    try:
        return None if key is None else workspace.get(key)
    except FileNotFoundError:
        return None


def edit_entry(workspace: Workspace, entry_id: int, title: str, note: str, actor: str) -> None:
    """Change title and note. Raises EntryRefused as `keep` does, or when the entry is gone."""
    title, note = _checked(title, note)
    with workspace.session() as session:
        entry = _entry(session, entry_id)
        entry.title, entry.note = title, note
        record(session, actor, "entry edited", f"entry {entry_id}")


def link_entry(workspace: Workspace, entry_id: int, study_id: int | None, actor: str) -> None:
    """Link an entry to a study, so that the study's report takes it along; None ends the link."""
    with workspace.session() as session:
        if study_id is not None and session.get(Study, study_id) is None:
            raise EntryRefused("this study does not exist any more: choose another")
        _entry(session, entry_id).study_id = study_id
        record(session, actor, "entry linked", f"entry {entry_id}", study=study_id)


def move_entry(workspace: Workspace, entry_id: int, steps: int) -> None:
    """Move an entry up (negative) or down by `steps` places; it stops at either end."""
    with workspace.session() as session:
        entries = list(session.scalars(sa.select(Entry).order_by(*_ORDER)))
        entry = _entry(session, entry_id)
        here = entries.index(entry)
        entries.insert(min(max(0, here + steps), len(entries) - 1), entries.pop(here))
        for position, row in enumerate(entries, start=1):
            row.position = float(position)


def delete_entry(workspace: Workspace, entry_id: int, actor: str) -> None:
    """Remove an entry and its picture for good."""
    with workspace.session() as session:
        entry = _entry(session, entry_id)
        key = entry.picture_key
        session.delete(entry)
        record(session, actor, "entry deleted", f"entry {entry_id}")
    if key is not None:
        workspace.delete(key)


def _entry(session: Session, entry_id: int) -> Entry:
    entry = session.get(Entry, entry_id)
    if entry is None:
        raise EntryRefused("this entry does not exist any more: reload the page")
    return entry


def note_html(note: str) -> str:
    """Markdown as HTML; raw HTML in it is shown as text, and links that run code are dropped."""
    return str(MarkdownIt("js-default").render(note))


def note_text(note: str) -> str:
    """Markdown as plain words on one line."""
    blocks = re.sub(r"</?(p|li|ul|ol|h\d|br|hr|pre|blockquote|table|tr|td|th)\b[^>]*>", " ", note_html(note))
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", blocks)).split())


def export_entries(workspace: Workspace, study_id: int) -> list[dict[str, Any]]:
    """For a study's report: its entries in order, each {"title", "note_html", "png" (bytes or None), "settings"}."""
    return [
        {
            "title": entry.title,
            "note_html": note_html(entry.note),
            "png": picture(workspace, entry.id),
            "settings": entry.settings,
        }
        for entry in list_entries(workspace, study_id)
    ]


def as_markdown(entries: Sequence[EntryView]) -> str:
    """The notebook as one Markdown text; pictures are named pictures/<number>.png."""
    parts = ["# Notebook"]
    for number, entry in enumerate(entries, start=1):
        parts.append(f"## {number}. {entry.title}")
        parts.append(f"{entry.created_at:%Y-%m-%d %H:%M} UTC" + (f", study: {entry.study}" if entry.study else ""))
        if entry.has_picture:
            parts.append(f"![{entry.title}](pictures/{number}.png)")
        if entry.note:
            parts.append(entry.note)
        if entry.settings:
            parts.append("\n".join(f"- {key}: `{value}`" for key, value in entry.settings.items()))
    return "\n\n".join(parts) + "\n"


def download(workspace: Workspace) -> bytes:
    """The whole notebook as a ZIP of notebook.md and its pictures."""
    entries = list_entries(workspace)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notebook.md", as_markdown(entries))
        for number, entry in enumerate(entries, start=1):
            png = picture(workspace, entry.id)
            if png is not None:
                archive.writestr(f"pictures/{number}.png", png)
    return buffer.getvalue()
