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
LINK = "[A source](https://example.org/toy)"
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
        (99.0, "✓ in the range"),
        (102.0, "✓ in the range"),
        (98.0, "✓ in the range"),
        (102.004, "✓ within 3 standard errors"),
        (102.7, "✓ within 3 standard errors"),
        (97.3, "✓ within 3 standard errors"),
        (102.8, "worse by 0.8"),
        (90.0, "better by 8.0"),
    ],
)
def test_inside_the_range_or_outside(elbo, shown):
    lines = run_records.compared(ROW, [made(elbo=elbo)])
    mean = f"{elbo:.2f} ± 0.25"
    assert cells(lines, "−ELBO") == ["−ELBO", "100 ± 2", mean, mean, shown]


@pytest.mark.parametrize(
    ("bound", "shown"),
    [
        (97.0, "✓ within 3 standard errors"),
        (98.4, "✓ within 3 standard errors"),
        (98.5, "worse by 1.0"),
        (96.5, "better by 1.0"),
    ],
)
def test_one_number_has_no_range_but_our_standard_error(bound, shown):
    lines = run_records.compared(ROW, [made(bound=bound)])
    mean = f"{bound:.2f} ± 0.31"
    assert cells(lines, "−L₅₀")[1:] == ["97.50", mean, mean, shown]


@pytest.mark.parametrize(
    ("elbo", "shown"),
    [(99.5, "✓ to its rounding"), (100.2, "✓ within 3 standard errors"), (101, "worse by 1.5")],
)
def test_a_round_number_is_shown_and_judged_as_one(elbo, shown):
    row = ROW | {"published": [{"measure": "minus_elbo", "value": 99, "about": True}]}
    found = cells(run_records.compared(row, [made(elbo=elbo)]), "−ELBO")
    assert found[1] == "≈ 99" and found[-1] == shown


def test_more_kl_is_neither_better_nor_worse():
    row = ROW | {"published": [{"measure": "kl", "value": 20}]}
    for kl, shown in ((22.0, "higher by 2.0"), (19.0, "lower by 1.0")):
        record = made(measured={"minus_elbo": [1, 1], "kl": [kl, 0.1]})
        assert cells(run_records.compared(row, [record]), "KL")[-1] == shown


def test_the_mean_over_seeds_knows_pictures_and_seeds():
    records = [made(0, elbo=100.0), made(1, elbo=101.0)]
    mean, error = run_records.mean_over_seeds("minus_elbo", records)
    assert mean == 100.5  # the pictures are the same, so their 0.25 stays; 1/2 is of two seeds
    assert error == pytest.approx((0.25**2 + 0.5**2) ** 0.5)
    assert run_records.spread_text("minus_elbo", records) == "100.00 to 101.00, 2 seeds"
    assert run_records.spread_text("minus_elbo", records[:1]) == "one seed"


def test_a_run_that_is_not_finished_gets_no_verdict():
    record = made(epochs=[1, 4], measured={"minus_elbo": [101.0, 0.25]})
    lines = run_records.compared(ROW, [record])
    assert cells(lines, "−ELBO") == ["−ELBO", "100 ± 2", "101.00 ± 0.25"]
    assert cells(lines, "−L₅₀")[2:] == ["at the end"]
    assert run_records.epochs_text(record) == "1 of 4: **not finished**"
    assert run_records.epochs_text(made()) == "4"
    both = run_records.compared(ROW, [made(0), record | {"seed": 1}])
    assert cells(both, "−ELBO")[4:] == ["101.00 ± 0.25", "✓ in the range"]  # of seed 0 alone


def test_every_seed_has_its_column_also_one_that_nobody_asked_for(book):
    for seed in (5, 3, 1):
        keep(book, made(seed, elbo=100 + seed / 10))
    lines = run_records.compared(ROW, run_records.read_records(ROW, book / "runs"))
    head = "| nats per picture | published | seed 1 | seed 3 | seed 5 | mean | verdict |"
    assert lines[0] == head
    shown = [f"100.{seed}0 ± 0.25" for seed in (1, 3, 5)]
    assert cells(lines, "−ELBO")[2:5] == shown


def test_what_a_seed_costs():
    assert run_records.cost_text([]) == "nobody has timed it"
    whole = [made(0), made(1, training_cpu_seconds=None), made(2, training_cpu_seconds=200)]
    assert run_records.cost_text(whole) == "training 90 s, measuring 2.0 h"
    part = made(epochs=[1, 400], training_cpu_seconds=36.0)
    assert run_records.cost_text([part]) == "training about 4.0 h"
    part |= {"training_cpu_seconds": None, "cpu_seconds_an_epoch": 18.0}  # was killed once
    assert run_records.cost_text([part]) == "training about 2.0 h"
    assert run_records.cost_text([part, made(1)]) == "training 60 s, measuring 2.0 h"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "unknown"), (0.4, "0 s"), (119, "119 s"), (120, "2.0 min"), (9000, "2.5 h")],
)
def test_durations(seconds, text):
    assert run_records.duration(seconds) == text


# ---- Experiments

WIDER = {"row": "wider", "experiment": "more of it", "arguments": "--epochs 4 --hidden 9 9"}
WIDER |= {"seeds": [0]}


def of_wider(bound, seed=0, **changed):
    return made(seed, bound=bound, row="wider", arguments=WIDER["arguments"], **changed)


@pytest.mark.parametrize(
    ("row_bound", "bound", "sentence"),
    [
        (99.5, 98.0, "**It explains the difference**: {} 2.00, {} 0.50, within 3 standard errors."),
        (99.5, 97.5, "**It explains the difference**: {} 2.00, {} 0.00, within 3 standard errors."),
        (95.5, 97.1, "**It explains the difference**: {} 2.00, {} 0.40, within 3 standard errors."),
        (99.5, 98.5, "**It does not explain the difference**: {} 2.00, {} 1.00."),
        (101.5, 98.5, "**It does not explain the difference**: {} 4.00, {} 1.00."),  # a large part
        (99.5, 99.4, "**It does not explain the difference**: {} 2.00, {} 1.90."),
        (98.5, 98.4, "**It does not explain the difference**: {} 1.00, {} 0.90."),  # both so-so
        (99.5, 95.5, "**It does not explain the difference**: {} 2.00, {} 2.00."),  # too much
    ],
)
def test_whether_an_experiment_explains_the_difference(row_bound, bound, sentence):
    parts = ("the row misses the published −L₅₀ by", "and the experiment by")
    found = run_records.explained(ROW, [made(bound=row_bound)], [of_wider(bound)])
    assert found == [sentence.format(*parts)]  # the −ELBO, in its range, needs no explanation


def test_nothing_is_explained_before_both_runs_have_ended():
    half = {"epochs": [1, 4], "measured": {"minus_elbo": [101.0, 0.25]}}
    missed, near = [made(bound=99.5)], [of_wider(97.5)]
    assert run_records.explained(ROW, [], near) == []
    assert run_records.explained(ROW, [made(bound=97.0)], near) == []
    assert not run_records.explains(ROW["published"][1], [made(bound=98.3)], near)
    for changed in ([], [of_wider(97.5, **half)]):
        found = run_records.explained(ROW, missed, changed)
        assert found == ["Whether it explains the difference in −L₅₀ is open."]
        assert not run_records.explains(ROW["published"][1], missed, changed)


def test_an_experiment_is_its_row_with_something_changed():
    row = ROW | {"experiments": [WIDER], "arguments": "--epochs 4 --hidden 9 --lr 1e-3"}
    (one,) = run_records.experiments(row)
    assert one == {key: row[key] for key in ROW} | WIDER
    assert run_records.with_experiments([row, ROW]) == [row, one, ROW]
    shown = "`--hidden 9 9` in place of `--hidden 9`, no `--lr 1e-3`"
    assert run_records.changed_options(row, one) == shown
    assert run_records.changed_options(ROW, one) == "`--hidden 9 9`"
    assert run_records.named(one) == "A source, more of it"


@pytest.fixture
def book_with_experiment(book):
    row = ROW | {"experiments": [WIDER]}
    (book / "src/reference.yml").write_text(yaml.safe_dump([row]), encoding="utf-8")
    keep(book, made(0, bound=99.5))
    return book


def test_an_experiment_stands_beneath_its_row(book_with_experiment):
    book = book_with_experiment
    text = "\n".join(recorded_runs.reference(book, "toy"))
    assert "Not run: `make reference ROW=wider SEED=0` goes on." in text
    keep(book, of_wider(98.0), "wider-0")
    lines = recorded_runs.reference(book, "toy")
    text = "\n".join(lines)
    assert "**An experiment**: more of it. `--hidden 9 9`." in text
    assert text.index("worse by 2.0") < text.index("98.00 ± 0.31") < text.index("It explains")
    head = next(line for line in lines if line.startswith("| run |"))
    assert head == "| run | seed 0 | `wider`, seed 0 |" and "Not run" not in text


def test_an_experiment_is_no_row_of_the_overview(book_with_experiment):
    book = book_with_experiment
    keep(book, of_wider(98.0), "wider-0")
    lines = recorded_runs.overview(book, "nll")
    assert len(lines) == 3 and cells(lines, LINK)[4] == "worse by 2.0, explained"
    assert cells(recorded_runs.overview(book, "elbo"), LINK)[4] == "✓ in the range"
    (short,) = recorded_runs.in_short(book, "")
    assert short == "1 of 1 row repeated to the end: A source (1 seed)."
    costs = recorded_runs.cost(book, "")
    assert cells(costs, "A source, more of it")[1:] == ["training 60 s, measuring 2.0 h", "1 of 1"]
    assert costs[-1].startswith("The 2 runs on this page took 4.0 h")


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
    "half a run without its loss": {"epochs": [1, 4], "measured": {"minus_bound_50": [1, 1]}},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("page", ["reference toy", "overview nll", "cost"])
def test_a_wrong_record_is_an_error_that_names_it(book, changed, page):
    keep(book, made() | changed, "toy-0")
    kind, name = [*page.split(), ""][:2]
    with pytest.raises(ValueError, match="toy-0.json is no record to show .* repeat the run"):
        recorded_runs.KINDS[kind](book, name)


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


def test_a_long_command_goes_on_in_the_next_line():
    command = "python -m it" + "".join(f" --option-{i} {i}" for i in range(20))
    lines = recorded_runs.on_several_lines(command)
    assert 3 < len(lines) < 8 and max(map(len, lines)) <= 72
    assert "\n".join(lines).replace("\\\n", "").split() == command.split()  # as a shell reads it
    assert recorded_runs.on_several_lines("python -m it --a 1") == ["python -m it --a 1"]


def test_a_row_without_record_says_so(book):
    lines = recorded_runs.reference(book, "toy")
    assert "**Not run** yet. `make reference ROW=toy SEED=0` does it." in lines
    assert cells(lines, "−ELBO")[2:] == ["not run"]
    assert cells(recorded_runs.overview(book, "elbo"), LINK)[3:5] == ["", "**not run**"]
    assert cells(recorded_runs.cost(book, ""), "A source")[1:] == ["nobody has timed it", "0 of 2"]


def test_the_overviews_keep_loss_and_likelihood_apart(book):
    keep(book, made(0))
    keep(book, made(1, elbo=103.0))
    found = cells(recorded_runs.overview(book, "elbo"), LINK)
    ours = ["**102.00\u00a0±\u00a01.03**", "✓ in the range", "101.00 to 103.00, 2 seeds"]
    assert found[1:] == ["−ELBO", "100 ± 2", *ours, "drawn"]
    found = cells(recorded_runs.overview(book, "nll"), LINK)
    assert found[1:3] == ["−L₅₀", "97.50"] and found[4] == "✓ within 3 standard errors"
    with pytest.raises(ValueError, match="an overview is of elbo or nll, not of ''"):
        recorded_runs.overview(book, "")


def test_the_overview_says_how_far_a_run_has_come(book):
    keep(book, made(0, epochs=[1, 4], measured={"minus_elbo": [101.0, 0.25]}))
    found = cells(recorded_runs.overview(book, "nll"), LINK)
    assert found[3:6] == ["", "not finished: 1 of 4 epochs", ""]


def test_the_loss_on_the_way_ends_with_the_last_look(book):
    curve = [[float(epoch), 200.0 - epoch, 0.3] for epoch in range(1, 12)]
    keep(book, made(0, curve=curve))
    lines = recorded_runs.reference(book, "toy")
    assert cells(lines, "seed 0, epoch")[1:] == ["1", "3", "5", "7", "9", "11"]
    losses = cells(lines, "−ELBO, test pictures")[1:]
    assert losses[0] == "199.00 ± 0.30" and losses[-1] == "189.00 ± 0.30"
    assert recorded_runs.on_the_way(made(0, curve=curve[:1])) == []


def test_in_short_it_says_what_was_run_and_what_not():
    half = made(epochs=[1, 4], measured={"minus_elbo": [101.0, 0.25]})
    other = ROW | {"source": "Another"}
    found = run_records.summary([(ROW, [made(0), made(1)]), (other, [half]), (other, [])])
    assert found == (
        "1 of 3 rows repeated to the end: A source (2 seeds); on the way: Another (1 of 4 epochs)."
    )
    own = ROW | {"published": []}
    found = run_records.summary([(ROW, [made(0)]), (own, [made(0)])])
    assert found == "1 of 1 row repeated to the end: A source (1 seed)."


def test_the_readme_says_what_was_run():
    rows = run_records.read_rows(ROOT / "book/src/reference.yml")
    found = [(row, run_records.read_records(row, ROOT / "book/runs")) for row in rows]
    assert run_records.summary(found) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_cost_is_that_of_all_runs(book):
    keep(book, made(0))
    keep(book, made(1))
    lines = recorded_runs.cost(book, "")
    assert lines[-1] == "The 2 runs on this page took 4.0 h together."
    assert cells(lines, "A source")[1:] == ["training 60 s, measuring 2.0 h", "2 of 2"]


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
    assert "<td><p>✓ in the range</p></td>" in html and 'href="https://example.org/toy"' in html
    assert "<strong>Not run</strong>" not in html


def test_a_wrong_record_stops_the_build(book):
    keep(book, made(machine=None))
    with pytest.raises(ExtensionError, match="toy-0.json is no record"):
        build(book, "```{recorded-run} overview elbo\n```")


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
    for row in run_records.with_experiments(rows):
        for record in run_records.read_records(row, ROOT / "book/runs"):
            for value, _ in record["measured"].values():
                assert f"{value:.2f}" not in text
    for kind in ("overview elbo", "overview nll", "cost"):
        assert f"```{{recorded-run}} {kind}\n" in text
