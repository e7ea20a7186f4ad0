"""The reading room's catalogues: the same keys in every language, nothing that tells, and no text in the JavaScript."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from components.reading_room.component import FOLDER, catalogues, script

JS = sorted((FOLDER / "js").glob("*.js"))
PLURAL = re.compile(r"\.(zero|one|two|few|many|other)$")
# What tests/browser/test_blinding.py forbids a reader to receive; German "eigen" among it.
TELLING = re.compile(r"eigen|stylex|original|counterfactual|reconstruction|logit|flipped", re.IGNORECASE)
# Words of the browser's own, which no reader sees.
NAMES = frozenset(
    (
        "Arrow", "Home", "End", "Enter", "Escape", "Backspace", "Delete", "Tab", "ArrowUp", "ArrowDown", "ArrowLeft",
        "ArrowRight", "PageUp", "PageDown", "Content-Type",
    )
)  # fmt: skip


def keys(texts: dict[str, str]) -> set[str]:
    return {PLURAL.sub(".#", key) for key in texts}


def literals(source: str) -> list[str]:
    """String and template literals of a script, comments left out; of a template the parts between its ${...}."""
    token = re.compile(
        r"//[^\n]*|/\*.*?\*/|\"((?:\\.|[^\"\\\n])*)\"|'((?:\\.|[^'\\\n])*)'|`((?:\\.|[^`\\])*)`", re.DOTALL
    )
    found = []
    for match in token.finditer(source):
        for group in match.groups():
            if group is not None:
                found += re.sub(r"\$\{[^}]*\}", "\x00", group).split("\x00")
    return found


def is_text(literal: str) -> bool:
    """Whether a literal looks like something to be read: a capitalised word, or words that end like a sentence."""
    if literal in NAMES or (
        literal.startswith(("M", "application/")) and re.fullmatch(r"[MmLlHhVvAaZz0-9 .,-]+", literal)
    ):
        return False
    sentence = re.search(r"[a-zäöü]{2,}[ ,][a-zäöü]{2,}.*[.!?…:]$", literal)
    return bool(sentence or re.search(r"(?<![\w-])[A-ZÄÖÜ][a-zäöüß]{2,}(?![\w-])", literal))


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_every_language_says_the_same_things(language: str) -> None:
    english, texts = catalogues()["en"], catalogues()[language]
    assert keys(texts) == keys(english)
    for key, text in texts.items():
        assert text.strip() == text != "", key
        base = english.get(key) or english[PLURAL.sub(".other", key)]
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", base)), key
    for key in (k for k in texts if PLURAL.search(k)):
        assert PLURAL.sub(".other", key) in texts, key


def test_no_text_tells_what_readers_must_not_know() -> None:
    for language, texts in catalogues().items():
        told = {key: text for key, text in texts.items() if TELLING.search(text)}
        assert told == {}, language


def test_a_third_language_is_one_more_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from components.reading_room import component

    (tmp_path / "texts").mkdir()
    for name, texts in {**catalogues(), "fr": catalogues()["en"] | {"room.next": "Cas suivant"}}.items():
        (tmp_path / "texts" / f"{name}.json").write_text(json.dumps(texts), encoding="utf-8")
    monkeypatch.setattr(component, "FOLDER", tmp_path)
    found = component.catalogues()
    assert next(iter(found)) == "en" and found["fr"]["room.next"] == "Cas suivant"


@pytest.mark.parametrize("path", JS, ids=lambda p: p.stem)
def test_no_text_stands_in_the_script(path: Path) -> None:
    assert [text for text in literals(path.read_text(encoding="utf-8")) if is_text(text)] == []


def test_the_search_for_texts_finds_texts() -> None:
    source = (
        'a("Saved at last"); b(`Case ${n} of ${m}`); x("this is one more sentence."); // "A comment"\n y("row current")'
    )
    assert [text for text in literals(source) if is_text(text)] == [
        "Saved at last",
        "Case ",
        "this is one more sentence.",
    ]


def test_every_key_that_the_script_asks_for_is_there_and_none_is_left_over() -> None:
    source = re.sub(r"//[^\n]*|/\*.*?\*/", "", script(), flags=re.DOTALL)
    known = set(catalogues()["en"])
    asked = set(re.findall(r"[\"'`]([a-z_]+(?:\.[\w]+)+)[\"'`]", source))
    asked |= set(re.findall(r"\bt\(\"([a-z]+)\"", source))
    begun = set(re.findall(r"`([a-z_]+\.(?:[\w]+\.)?)\$\{", source))
    plain = {PLURAL.sub("", key) for key in known} | known
    missing = {key for key in asked if key not in plain and key.split(".")[0] in {k.split(".")[0] for k in known}}
    assert missing == set()
    unused = {
        key
        for key in known
        if key not in asked and PLURAL.sub("", key) not in asked and not any(key.startswith(b) for b in begun)
    }
    assert unused == set()
