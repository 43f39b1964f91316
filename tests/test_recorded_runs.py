"""Records judged, and the page that is made from them, on records that these tests write."""

import json
from pathlib import Path

import pytest
import recorded_runs
import run_records
import yaml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[1]
ROW = {
    "row": "toy",
    "source": "A source",
    "link": "https://example.org/toy",
    "model": "784-5",
    "pixels": "drawn",
    "arguments": "--epochs 4",
    "seeds": [0, 1],
    "published": [
        {"measure": "minus_elbo", "value": 100, "within": 2},
        {"measure": "minus_bound_50", "value": 97.5},
    ],
    "differs": ["in its size"],
}


def made(seed=0, elbo=101.0, bound=97.0, **changed):
    return {
        "row": "toy",
        "seed": seed,
        "command": f"make reference ROW=toy SEED={seed}",
        "training": "python -m vae_course.train --epochs 4",
        "arguments": "--epochs 4",
        "epochs": [4, 4],
        "chosen_epoch": None,
        "test_pictures": 10,
        "test_pixels_seed": 0,
        "elbo_draws": 12,
        "measured": {"minus_elbo": [elbo, 0.25], "minus_bound_50": [bound, 0.31]},
        "training_seconds": 90.0,
        "training_cpu_seconds": 60.0,
        "measuring_seconds": 7200,
        "machine": "a desk",
        "torch": "2.9",
    } | changed


@pytest.fixture
def book(tmp_path):
    """A book's folder with one row, and no record yet."""
    (tmp_path / "src").mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "src/reference.yml").write_text(yaml.safe_dump([ROW]), encoding="utf-8")
    return tmp_path


def keep(book, record, name=None):
    path = book / f"runs/{name or 'toy-{seed}'.format(**record)}.json"
    path.write_text(json.dumps(record), encoding="utf-8")


def cells(lines, first):
    """The cells of the table's row that begins with `first`."""
    (line,) = [line for line in lines if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


# ---- The verdict


@pytest.mark.parametrize(
    ("elbo", "shown"),
    [
        (99.0, "99.00 ± 0.25 ✓"),
        (102.0, "102.00 ± 0.25 ✓"),
        (98.0, "98.00 ± 0.25 ✓"),
        (102.004, "102.00 ± 0.25 ✗ above"),
        (90.0, "90.00 ± 0.25 ✗ below"),
    ],
)
def test_inside_the_range_or_outside(elbo, shown):
    lines = run_records.compared(ROW, [made(elbo=elbo)])
    assert cells(lines, "−ELBO") == ["−ELBO", "100 ± 2", shown, "not run"]


@pytest.mark.parametrize(("bound", "shown"), [(97.0, "(−0.50)"), (98.25, "(+0.75)")])
def test_without_a_range_there_is_a_difference_and_no_verdict(bound, shown):
    lines = run_records.compared(ROW, [made(bound=bound)])
    assert cells(lines, "−L₅₀")[1:3] == ["97.5", f"{bound:.2f} ± 0.31 {shown}"]


def test_a_round_number_is_shown_as_one():
    row = ROW | {"published": [{"measure": "minus_elbo", "value": 99, "about": True}]}
    assert cells(run_records.compared(row, [made()]), "−ELBO")[1:3] == [
        "≈ 99",
        "101.00 ± 0.25 (+2.00)",
    ]


def test_a_run_that_is_not_finished_gets_neither():
    record = made(epochs=[1, 4])
    lines = run_records.compared(ROW, [record])
    assert cells(lines, "−ELBO")[2] == "101.00 ± 0.25"
    assert cells(lines, "−L₅₀")[2] == "97.00 ± 0.31"
    assert run_records.epochs_text(record) == "1 of 4: **not finished**"
    assert run_records.epochs_text(made()) == "4"


def test_every_seed_has_its_column_also_one_that_nobody_asked_for(book):
    for seed in (5, 3, 1):
        keep(book, made(seed, elbo=100 + seed / 10))
    lines = run_records.compared(ROW, run_records.read_records(ROW, book / "runs"))
    assert lines[0] == "| nats per picture | published | seed 0 | seed 1 | seed 3 | seed 5 |"
    shown = ["not run", *(f"100.{seed}0 ± 0.25 ✓" for seed in (1, 3, 5))]
    assert cells(lines, "−ELBO")[2:] == shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "unknown"), (0.4, "0 s"), (119, "119 s"), (120, "2.0 min"), (9000, "2.5 h")],
)
def test_durations(seconds, text):
    assert run_records.duration(seconds) == text


# ---- Records that cannot be used

WRONG = {
    "a measure is missing": {"measured": {"minus_elbo": [100, 0.2]}},
    "not a number": {"measured": {"minus_elbo": [float("nan"), 0.2], "minus_bound_50": [1, 1]}},
    "text for a number": {"measured": {"minus_elbo": ["100", 0.2], "minus_bound_50": [1, 1]}},
    "no standard error": {"measured": {"minus_elbo": [100], "minus_bound_50": [1, 1]}},
    "a negative error": {"measured": {"minus_elbo": [100, -1], "minus_bound_50": [1, 1]}},
    "other arguments": {"arguments": "--epochs 5"},
    "no epoch": {"epochs": [0, 4]},
    "more epochs than planned": {"epochs": [5, 4]},
    "another seed": {"seed": 3},
    "a machine without a name": {"machine": None},
    "another row": {"row": "boy"},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("page", ["reference", "overview", "cost"])
def test_a_wrong_record_is_an_error_that_names_it(book, changed, page):
    keep(book, made() | changed, "toy-0")
    with pytest.raises(ValueError, match="toy-0.json is no record to show .* repeat the run"):
        recorded_runs.KINDS[page](book, "toy")


@pytest.mark.parametrize("key", run_records.NEEDED)
def test_a_record_that_lacks_something_is_an_error(book, key):
    record = made()
    del record[key]
    keep(book, record, "toy-0")
    with pytest.raises(ValueError, match=f"toy-0.json .*{key}"):
        run_records.read_records(ROW, book / "runs")


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_file_that_is_no_record(book, text):
    (book / "runs/toy-0.json").write_text(text)
    with pytest.raises(ValueError, match="toy-0.json is no record"):
        run_records.read_records(ROW, book / "runs")


# ---- The page


def test_a_row_on_the_page(book):
    keep(book, made(0))
    keep(
        book,
        made(1, training_cpu_seconds=None, epochs=[1, 4], chosen_epoch=1, test_pixels_seed=None),
    )
    lines = recorded_runs.reference(book, "toy")
    text = "\n".join(lines)
    assert "[A source](https://example.org/toy)" in text and "- in its size" in text
    assert cells(lines, "training") == ["training", "90 s", "90 s"]
    assert cells(lines, "of that, processor time")[1:] == ["60 s", "unknown"]
    assert cells(lines, "measuring")[1:] == ["2.0 h", "2.0 h"]
    assert cells(lines, "the model is that of epoch")[1:] == ["the last", "1"]
    assert cells(lines, "epochs")[1:] == ["4", "1 of 4: **not finished**"]
    assert cells(lines, "their pixels")[1:] == ["drawn once, with seed 0", "as in the file"]
    assert cells(lines, "draws of z for the −ELBO")[1:] == ["12 a picture"] * 2
    assert cells(lines, "test pictures")[1:] == ["10", "10"]
    assert cells(lines, "machine")[1:] == ["a desk", "a desk"]
    assert "make reference ROW=toy SEED=1" in lines and made()["training"] in lines
    assert text.count("```") == 4


def test_a_row_without_record_says_so(book):
    lines = recorded_runs.reference(book, "toy")
    assert "**Not run** yet. `make reference ROW=toy SEED=0` does it." in lines
    assert cells(lines, "−ELBO")[2:] == ["not run", "not run"]
    assert cells(recorded_runs.overview(book, ""), "A source")[3] == "**not run**"


def test_the_overview_has_a_line_for_each_row_with_all_seeds(book):
    keep(book, made(0))
    keep(book, made(1, elbo=103.0))
    found = cells(recorded_runs.overview(book, ""), "A source")
    assert found[1:4] == ["−ELBO", "100 ± 2", "101.00 ± 0.25 ✓; 103.00 ± 0.25 ✗ above"]
    assert found[4] == "4"


def test_the_cost_is_that_of_all_runs(book):
    keep(book, made(0))
    keep(book, made(1))
    assert recorded_runs.cost(book, "") == ["The 2 runs on this page took 4.0 h together."]


def build(book, text):
    """The page, which is written only the first time."""
    if not (book / "index.md").exists():
        (book / "index.md").write_text(f"# T\n\n{text}\n", encoding="utf-8")
        (book / "conf.py").write_text('extensions = ["myst_parser", "recorded_runs"]\n')
    app = Sphinx(book, book, book / "out", book / "trees", "html", status=None, warning=None)
    app.build()
    return (book / "out/index.html").read_text(encoding="utf-8")


def test_sphinx_makes_tables_anew_for_each_new_record(book):
    page = "```{recorded-run} reference toy\n```"
    assert "not run" in build(book, page)
    keep(book, made())
    html = build(book, page)
    assert "<td><p>101.00 ± 0.25 ✓</p></td>" in html and 'href="https://example.org/toy"' in html
    assert "<strong>Not run</strong>" not in html


def test_a_wrong_record_stops_the_build(book):
    keep(book, made(machine=None))
    with pytest.raises(ExtensionError, match="toy-0.json is no record"):
        build(book, "```{recorded-run} overview\n```")


@pytest.mark.parametrize("text", ["reference boy", "reference", "rows"])
def test_a_row_or_kind_that_is_unknown_stops_the_build(book, text):
    with pytest.raises(ExtensionError, match="boy|''|rows"):
        build(book, f"```{{recorded-run}} {text}\n```")


# ---- The book's own page


def test_the_page_shows_every_row_and_types_no_measured_number():
    text = (ROOT / "book/how_good.md").read_text(encoding="utf-8")
    rows = run_records.read_rows(ROOT / "book/src/reference.yml")
    for row in rows:
        assert f"```{{recorded-run}} reference {row['row']}\n" in text
        for record in run_records.read_records(row, ROOT / "book/runs"):
            for value, _ in record["measured"].values():
                assert f"{value:.2f}" not in text
    for kind in ("overview", "cost"):
        assert f"```{{recorded-run}} {kind}\n" in text
