import json

import numpy as np
import pytest
from typer.testing import CliRunner

from services.agreement import agreement_of_table, read_table
from services.cli.main import app

# C of the published examples: Gwet 2014, four readers, twelve units, blanks for missing readings.
C = """unit,R1,R2,R3,R4
1,1,1,,1
2,2,2,3,2
3,3,3,3,3
4,3,3,3,3
5,2,2,2,2
6,1,2,3,4
7,4,4,4,4
8,1,1,2,1
9,2,2,2,2
10,,5,5,5
11,,,1,1
12,,,3,
"""
# H: Shrout and Fleiss 1979.
H = "target;J1;J2;J3;J4\n1;9;2;5;8\n2;6;1;3;2\n3;8;4;6;8\n4;7;1;2;6\n5;10;5;6;9\n6;6;2;4;7\n"


@pytest.fixture
def write(tmp_path):
    def to(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return to


def test_gwets_example(write):
    figures = agreement_of_table(write(C))["figures"]
    published = {"agreement": 0.8182, "ac1": 0.7754, "fleiss": 0.7612, "conger": 0.7628, "brennan_prediger": 0.7727}
    for name, value in (published | {"alpha": 0.7434, "ac1_low": 0.4608, "ac1_high": 1.0}).items():
        assert figures[name] == pytest.approx(value, abs=5e-5)
    assert "cohen" not in figures and "icc_1_1" not in figures


def test_higher_levels_take_their_weights_and_say_so(write):
    result = agreement_of_table(write(C), "ordinal")
    assert result["figures"]["ac2"] == pytest.approx(0.899, abs=5e-4)
    assert result["figures"]["alpha"] == pytest.approx(0.815388, abs=5e-7)
    assert result["figures"]["ac1"] == pytest.approx(0.7754, abs=5e-5)
    words = {row["name"]: row["coefficient"] for row in result["rows"]}
    assert words["fleiss"] == "Fleiss' kappa, ordinal weights" and words["alpha"] == "Krippendorff's alpha, ordinal"
    assert result["settings"]["weights"] == "ordinal" and "kendall_w" in words
    for level, alpha in (("interval", 0.849107), ("ratio", 0.797403)):
        assert agreement_of_table(write(C), level)["figures"]["alpha"] == pytest.approx(alpha, abs=5e-7)


def test_iccs_of_numbers(write):
    figures = agreement_of_table(write(H), "interval")["figures"]
    published = {"1_1": 0.1657, "2_1": 0.2898, "3_1": 0.7148, "1_k": 0.4428, "2_k": 0.6201, "3_k": 0.9093}
    for form, value in published.items():
        assert figures[f"icc_{form}"] == pytest.approx(value, abs=5e-5)
    assert figures["icc_2_1_low"] == pytest.approx(0.02, abs=5e-3)


def test_two_readers_have_cohens_kappa(write):
    cells = [
        (a, b)
        for (a, b), n in {("yes", "yes"): 40, ("yes", "no"): 9, ("no", "yes"): 6, ("no", "no"): 45}.items()
        for _ in range(n)
    ]
    text = "case\tone\ttwo\n" + "".join(f"c{i}\t{a}\t{b}\n" for i, (a, b) in enumerate(cells))
    figures = agreement_of_table(write(text))["figures"]
    assert figures["cohen"] == pytest.approx(0.6995, abs=5e-5) and figures["ac1"] == pytest.approx(0.7007, abs=5.1e-5)


def test_categories_that_nobody_chose_count(write):
    text = "u,a,b\n1,low,low\n2,high,high\n3,low,high\n"
    two = agreement_of_table(write(text), categories=["low", "high"])["figures"]
    three = agreement_of_table(write(text), categories=["low", "middle", "high"])["figures"]
    assert three["brennan_prediger"] > two["brennan_prediger"]
    ordinal = agreement_of_table(write(text), "ordinal", categories=["low", "middle", "high"])
    assert ordinal["figures"]["agreement_weighted"] == pytest.approx(2 / 3)


def test_numbers_written_differently_are_one_value(write):
    assert agreement_of_table(write("u,a,b\n1,1,1.0\n2,2,2\n3,3,3\n"), "interval")["figures"]["agreement"] == 1


def test_everybody_alike_says_why(write):
    rows = agreement_of_table(write("u,a,b\n1,x,x\n2,x,x\n"))["rows"]
    by = {row["name"]: row for row in rows}
    assert (
        by["agreement"]["value"] == 1
        and by["fleiss"]["value"] is None
        and "chance agreement is 1" in by["fleiss"]["note"]
    )
    assert "only one category" in by["ac1"]["note"]


def test_continuous_measurements_of_many_units_fit_in_memory(write):
    rng = np.random.default_rng(0)
    values = rng.normal(50, 5, (400, 1)) + rng.normal(0, 3, (400, 3))
    text = "u,a,b,c\n" + "".join(f"{i},{','.join(f'{v:.3f}' for v in row)}\n" for i, row in enumerate(values))
    figures = agreement_of_table(write(text), "ratio", resamples=100)["figures"]
    assert figures["icc_2_1"] == pytest.approx(25 / 34, abs=0.08)


@pytest.mark.parametrize(
    ("text", "level", "told"),
    [
        ("", "nominal", "is empty"),
        ("u,a\n1,x\n", "nominal", "1 reader columns"),
        ("u,a,b\n", "nominal", "names but no unit"),
        ("u,a,a\n1,x,y\n", "nominal", "Columns 2 and 3 are both called “a”"),
        ("u,a,,b\n1,x,y,z\n", "nominal", "Column 3 has no name"),
        ("u,a,b\n1,x,y\n1,x,x\n", "nominal", "stands in rows 2 and 3"),
        ("u,a,b\n1,x,y\n,x,x\n", "nominal", "Row 3 names no unit"),
        ("u,a,b\n1,x,y,z\n", "nominal", "Row 2 has 4 cells, the header 3"),
        ("u,a,b\n1,x,NA\n", "nominal", "Row 2, column b: “NA” looks like a missing reading"),
        ("u,a,b\n1,1,.\n", "interval", "looks like a missing"),
        ("u,a,b\n\n1,1,two\n", "interval", "Row 3, column b: “two” is not a number"),
        ('u,a,b\n1,1,"2,5"\n', "ratio", "decimal point"),
        ("u,a,b\n1,low,high\n", "ordinal", "give the order, --categories"),
        ("u,a,b\n1,1,-2\n", "ratio", "-2 is negative"),
        ("u,a,b\n1,1,inf\n", "interval", "not a number"),
        ("u,a,b\n1,1,2\n", "cubic", "--level nominal, ordinal"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(write, text, level, told):
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        agreement_of_table(write(text), level)


def test_categories_confidence_and_files(write, tmp_path):
    path = write("u,a,b\n1,x,y\n")
    for options, told in (
        ({"categories": ["x", "z"]}, "“y” is none of the categories"),
        ({"categories": ["x", "x"]}, "different names"),
        ({"confidence": 95}, "confidence is 95"),
        ({"resamples": 5}, "too few"),
    ):
        with pytest.raises(ValueError, match=told):
            agreement_of_table(path, **options)
    with pytest.raises(FileNotFoundError, match="no file"):
        agreement_of_table(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="folder"):
        agreement_of_table(tmp_path)
    with pytest.raises(ValueError, match="UTF-8"):
        agreement_of_table(write("u,ä,b\n1,x,y\n", encoding="latin-1"))


def test_spreadsheet_oddities(write):
    frame = read_table(write("\ufeffunit;a;b;\r\n1; x ;y;\r\n;;;\r\n2;;\r\n"))
    assert list(frame.columns) == ["a", "b"] and frame.loc["1", "a"] == "x"
    assert frame.loc["2"].isna().all() and frame.attrs["rows"] == [2, 4]


def test_the_command(write):
    path = str(write(C))
    run = CliRunner()
    text = run.invoke(app, ["agreement", path])
    assert text.exit_code == 0 and "0.7754" in text.output and "12 units (11 with two readings or more)" in text.output
    content = json.loads(run.invoke(app, ["agreement", path, "--json"]).output)
    assert set(content) >= {"name", "figures", "settings", "seconds", "versions", "rows"}
    assert content["figures"]["conger"] == pytest.approx(0.7628, abs=5e-5)
    json.loads(
        run.invoke(app, ["agreement", str(write("u,a,b\n1,x,x\n")), "--json"]).output, parse_constant=pytest.fail
    )
    failed = run.invoke(app, ["agreement", path, "--level", "cubic"])
    assert failed.exit_code == 1 and "Unknown level" in failed.output
