from __future__ import annotations

from pages.parts.heat import heat_table


def cells(share: float | None, note: str) -> dict[str, object]:
    return {"share": share, "share_low": None, "share_high": None, "share_note": note}


def test_a_cell_without_interval_says_why_below_the_table() -> None:
    table = {
        ("ctr", "v1-"): cells(0.5, "one patient: no interval"),
        ("ctr", "v2+"): {"share": 0.5, "share_low": 0.2, "share_high": 0.8, "share_note": ""},
        ("age", "v1-"): cells(None, "no reading"),
    }
    html = heat_table(
        [("ctr", "<Ratio>"), ("age", "Older")],
        [("v1-", "v1 −"), ("v2+", "v2 +")],
        {},
        ["ctr"],
        lambda row, column: table.get((row, column)),
    )
    assert "50 %<sup>a</sup><span>no interval</span>" in html and "<sup>a</sup> one patient: no interval" in html
    assert "50 %<span>20 to 80</span>" in html
    # Both empty cells, the one with a row and the one without, share a reason.
    assert html.count("–<sup>b</sup>") == 2 and html.count("<sup>b</sup> no reading") == 1
    assert "&lt;Ratio&gt;" in html
