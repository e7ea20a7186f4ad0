"""What a person at a terminal sees: how far it is, how long it will take, and the result on a line of its own."""

from __future__ import annotations

import io
import sys

import pytest

from services.cli.output import CLEAR, say, terminal_progress, time_left


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "share", "words"),
    [
        (9, 0.5, ""),
        (60, 0.001, ""),
        (60, 1.0, ""),
        (60, 0.5, "; about 60 s left"),
        (60, 0.1, "; about 9 min left"),
        (3600, 0.75, "; about 20 min left"),
    ],
)
def test_the_time_left_is_told_once_it_is_known(seconds: float, share: float, words: str) -> None:
    assert time_left(seconds, share) == words


def test_a_result_stands_on_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    terminal_progress(False)(0.5, "half way")
    say({"a": 1}, False, "done")
    assert terminal.getvalue() == f"{CLEAR} 50.0%  half way{CLEAR}" and capsys.readouterr().out == "done\n"


def test_programs_get_no_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    terminal_progress(True)(0.5, "half way")
    say({"a": 1}, True, "done")
    assert "half way" not in terminal.getvalue() and capsys.readouterr().out == '{"a": 1}\n'
