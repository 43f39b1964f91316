import json
import math
import platform
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from vae_course import claims
from vae_course.claims import begin, claim, summary


@pytest.fixture(autouse=True)
def log(monkeypatch, tmp_path):
    """A fresh chapter that logs into a file of its own, whatever the user's settings."""
    monkeypatch.delenv("VAE_COURSE_SEED", raising=False)
    monkeypatch.setenv("VAE_COURSE_CLAIMS", str(tmp_path / "claims.jsonl"))
    begin("a chapter")
    return tmp_path / "claims.jsonl"


def records(log):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


# ---- Holding and failing

NAN, INF = math.nan, math.inf
HOLD = [
    ({"equals": 2, "within": 0.5}, [2, 1.75, 1.5, 2.5]),
    ({"equals": -2, "within": 0.5}, [-2, -1.5, -2.5]),
    ({"equals": 0, "within": 0}, [0, -0.0]),
    ({"at_least": 3}, [3, 3.001, 1e9]),
    ({"at_least": -3}, [-3, -2.999, 0]),
    ({"at_most": 3}, [3, 2.999, -1e9]),
    ({"at_least": 1, "at_most": 2}, [1, 1.5, 2]),
    ({"at_least": 0, "at_most": 0}, [0]),
]
FAIL = [
    ({"equals": 2, "within": 0.5}, [1.4999, 2.5001, -2, NAN, INF, -INF]),
    ({"equals": 0, "within": 0}, [1e-9, NAN]),
    ({"at_least": 3}, [2.999, -3, NAN, INF, -INF]),
    ({"at_most": 3}, [3.001, NAN, INF, -INF]),
    ({"at_least": 1, "at_most": 2}, [0.999, 2.001, NAN, INF, -INF]),
]
each = "{0}".format


def flat(table):
    return [(bound, value) for bound, values in table for value in values]


@pytest.mark.parametrize(("bound", "value"), flat(HOLD), ids=each)
def test_a_true_claim_is_printed_with_a_tick(bound, value, capsys):
    claim("what is said", value, **bound)
    assert capsys.readouterr().out.startswith("✓ what is said: ")


@pytest.mark.parametrize(("bound", "value"), flat(FAIL), ids=each)
def test_a_false_claim_raises(bound, value, capsys):
    with pytest.raises(AssertionError, match="✗ what is said: "):
        claim("what is said", value, **bound)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("value", "bound", "line"),
    [
        (2.25, {"equals": 2, "within": 0.5}, "2.25 (2 ± 0.5)"),
        (2.25, {"at_least": 2}, "2.25 (at least 2)"),
        (2.25, {"at_most": 3}, "2.25 (at most 3)"),
        (2.25, {"at_least": 2, "at_most": 3}, "2.25 (at least 2, at most 3)"),
        (6, {"equals": 6, "within": 0}, "6 (exactly 6)"),
        (-0.5, {"at_most": 1}, "−0.5 (at most 1)"),
        (12345.6, {"at_least": -1e7}, "12\u202f346 (at least −10⁷)"),
        (9999.6, {"at_least": 1}, "10\u202f000 (at least 1)"),
        (1234.5, {"at_least": 1e-4}, "1234 (at least 0.0001)"),
        (3.6e-7, {"at_most": 1e-6}, "3.6 × 10⁻⁷ (at most 10⁻⁶)"),
        (3.6e-15, {"equals": 0, "within": 1e-9}, "0, exact to rounding"),
        (0, {"equals": 0, "within": 1e-9}, "0, exact to rounding"),
        (0.1 + 0.2, {"equals": 0.3, "within": 1e-12}, "0.3, exact to rounding"),
        (7978.8 + 1e-6, {"equals": 7978.8, "within": 1e-3}, "7979, exact to rounding"),
        (3.6e-15, {"at_most": 1e-9}, "0, exact to rounding"),
        # No digits that the tolerance makes idle.
        (0.99412, {"equals": 0.9941, "within": 0.0075994}, "0.9941 (0.9941 ± 0.0076)"),
        (0.1, {"equals": 3.578e-5, "within": 0.26934}, "0.1 (0 ± 0.27)"),
        (0, {"equals": 3.578e-5, "within": 2.6934e-4}, "0 (4 × 10⁻⁵ ± 0.00027)"),
        (1234.5, {"equals": 1234.56, "within": 123.4}, "1234 (1235 ± 120)"),
        (1 / 3, {"equals": 1 / 3, "within": 1e-4}, "0.3333 (0.3333 ± 0.0001)"),
        # Near by chance, not by algebra: the bound says so.
        (2, {"equals": 2, "within": 0.5}, "2 (2 ± 0.5)"),
        (3e-8, {"equals": 0, "within": 1e-5}, "3 × 10⁻⁸ (0 ± 10⁻⁵)"),
        (3e-15, {"at_most": 1e-3}, "3 × 10⁻¹⁵ (at most 0.001)"),
        (3e-15, {"at_least": 0, "at_most": 1e-9}, "3 × 10⁻¹⁵ (at least 0, at most 10⁻⁹)"),
        (2.194528, {"at_least": 0}, "2.195 (at least 0)"),
        (torch.tensor([[2.5]]), {"at_least": 0}, "2.5 (at least 0)"),
    ],
)
def test_value_and_bound_are_printed(value, bound, line, capsys):
    claim("text", value, **bound)
    assert capsys.readouterr().out == f"✓ text: {line}\n"


def test_minus_signs_and_ellipses_are_set_and_hyphens_stay(capsys):
    claim("... E - log p(x) at -1, re-scaled one-draw σ - 1", 2, at_least=1)
    said = "… E − log p(x) at −1, re-scaled one-draw σ − 1"
    assert capsys.readouterr().out == f"✓ {said}: 2 (at least 1)\n"


def test_the_error_shows_the_digit_that_is_wrong():
    with pytest.raises(AssertionError, match=r"✗ text: 1\.00001 \(at most 1\)"):
        claim("text", 1.00001, at_most=1)


def test_the_error_tells_value_and_bound():
    with pytest.raises(AssertionError, match=r"✗ text: nan \(at least 1, at most 2\)"):
        claim("text", NAN, at_least=1, at_most=2)


@pytest.mark.parametrize(
    "bound",
    [
        {},
        {"equals": 1},
        {"within": 1},
        {"equals": 1, "at_least": 1},
        {"equals": 1, "within": 1, "at_least": 1},
        {"equals": 1, "within": 1, "at_most": 1},
        {"within": 1, "at_least": 1},
        {"within": 1, "at_most": 1},
        {"equals": 1, "within": -0.1},
        {"equals": NAN, "within": 1},
        {"equals": 1, "within": INF},
        {"at_least": -INF},
        {"at_most": INF},
        {"at_most": NAN},
    ],
    ids=each,
)
def test_bounds_that_make_no_sense_are_refused(bound, log):
    with pytest.raises(ValueError, match="bound|give equals with within"):
        claim("text", 1, **bound)
    assert not log.exists()


# ---- The log


def test_true_and_false_claims_are_logged(log):
    begin("02_chapter")
    claim("first – ‘é’", 2.25, equals=2, within=0.5)
    with pytest.raises(AssertionError):
        claim("second", 5, at_least=1, at_most=3.5)
    assert records(log) == [
        {
            "notebook": "02_chapter",
            "name": "first – ‘é’",
            "value": 2.25,
            "bound": {"equals": 2, "within": 0.5},
            "holds": True,
            "margin": 0.25,
        },
        {
            "notebook": "02_chapter",
            "name": "second",
            "value": 5,
            "bound": {"at_least": 1, "at_most": 3.5},
            "holds": False,
            "margin": -1.5,
        },
    ]


@pytest.mark.parametrize(
    ("value", "bound", "margin"),
    [
        (2, {"at_least": 2}, 0),
        (5, {"at_least": 2}, 3),
        (1.5, {"at_most": 2}, 0.5),
        (1.25, {"at_least": 1, "at_most": 2}, 0.25),
        (1.75, {"at_least": 1, "at_most": 2}, 0.25),
        (-1.5, {"equals": -2, "within": 0.75}, 0.25),
    ],
)
def test_the_margin_is_the_distance_to_the_nearest_bound(value, bound, margin, log):
    claim("text", value, **bound)
    assert records(log)[0]["margin"] == margin


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_values_that_are_not_finite_are_logged_as_null(value, log):
    with pytest.raises(AssertionError):
        claim("text", value, at_least=0)
    (record,) = records(log)
    assert (record["value"], record["margin"], record["holds"]) == (None, None, False)


def test_the_log_is_added_to(log):
    log.write_text('{"from": "another run"}\n')
    claim("text", 1, at_least=0)
    begin("the next chapter")
    claim("text", 1, at_least=0)
    assert [record.get("notebook") for record in records(log)] == [
        None,
        "a chapter",
        "the next chapter",
    ]


@pytest.mark.parametrize("setting", [None, ""])
def test_nothing_is_logged_unless_asked(setting, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if setting is None:
        monkeypatch.delenv("VAE_COURSE_CLAIMS")
    else:
        monkeypatch.setenv("VAE_COURSE_CLAIMS", setting)
    claim("text", 1, at_least=0)
    assert list(tmp_path.iterdir()) == []


# ---- Opening a chapter


@pytest.mark.parametrize(("setting", "seed"), [(None, 0), ("", 0), ("0", 0), ("12345", 12345)])
def test_begin_reads_the_seed_and_seeds_torch(setting, seed, monkeypatch):
    if setting is not None:
        monkeypatch.setenv("VAE_COURSE_SEED", setting)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(seed))
    torch.rand(5)
    assert begin("a chapter") == seed
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("setting", ["-1", "1.5", "seven", "1e3", " ", "0x10", "1 2"])
def test_begin_refuses_a_seed_that_is_no_whole_number(setting, monkeypatch):
    monkeypatch.setenv("VAE_COURSE_SEED", setting)
    with pytest.raises(ValueError) as error:
        begin("a chapter")
    assert "VAE_COURSE_SEED" in str(error.value) and repr(setting) in str(error.value)


# ---- The summary


class Page(HTMLParser):
    """The cells of each row of the table, what unfolds it, and the text of the paragraph."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.paragraph, self.line, self.tags, self.open = [], "", "", [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += text
        elif "summary" in self.open or self.open[-1] == "div":
            self.line += text
        else:
            assert self.open[-1] == "p"
            self.paragraph += text


def test_the_summary_has_every_claim_once_and_folded():
    claim("first", 2.25, equals=2, within=0.5)
    claim("second", 7, at_least=3)
    claim("second", 7, at_least=3)
    page = Page(summary().data)
    assert page.line == "✓ All 3 checks of this page"
    assert page.rows == [
        ["", "Check", "Measured", "Must be"],
        ["✓", "first", "2.25", "2 ± 0.5"],
        ["✓", "second", "7", "at least 3"],
        ["✓", "second", "7", "at least 3"],
    ]
    assert page.tags[:2] == ["details", "summary"] and page.open == []


def test_begin_forgets_the_claims_of_the_chapter_before():
    claim("old", 1, at_least=0)
    begin("the next chapter")
    claim("new", 1, at_least=0)
    assert [row[1] for row in Page(summary().data).rows] == ["Check", "new"]


def test_a_false_claim_is_not_in_the_summary():
    with pytest.raises(AssertionError):
        claim("false", 1, at_least=2)
    assert "false" not in summary().data


def test_the_summary_escapes_html():
    text = "<b>p(x) < q(x)</b> & \"more\" than 'that' <script>"
    claim(text, 1, at_least=0)
    page = Page(summary().data)
    assert page.rows[1][1] == text
    assert not {"b", "script"} & set(page.tags)


def test_the_summary_names_seconds_and_machine(monkeypatch):
    now = iter([1000.0, 1083.2])
    monkeypatch.setattr(claims, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    begin("a chapter")
    paragraph = Page(summary().data).paragraph
    assert "83 s" in paragraph
    assert platform.machine() in paragraph
    assert f"{torch.get_num_threads()} CPU thread" in paragraph


def test_the_summary_escapes_the_machine(monkeypatch):
    monkeypatch.setattr(claims, "machine", lambda: "a <b>fast</b> one & more")
    assert Page(summary().data).paragraph.endswith("a <b>fast</b> one & more.")


def test_a_value_with_a_gradient_is_no_reason_to_warn(recwarn):
    claim("slope", torch.ones((), requires_grad=True), equals=1, within=0)
    assert not recwarn.list


# ---- In a notebook

FIRST = """from vae_course.claims import claim
claim("alone & <b>", 2.25, equals=2, within=0.5)"""
THREE = """print("before")
claim("first", 1, at_least=0)
print("between")
claim("second", 2, at_least=0)
claim("third", 3, at_least=0)
print("after")"""
SHOWN = """claim("first", 1, at_least=0)
claim("second", 2, at_least=0, shown=True)"""
FALSE = """claim("true", 1, at_least=0)
claim("false", 2, at_least=3)
claim("never asked", 3, at_least=3)"""
WITHIN = "for i in range(2): claim(f'cell {i}', i, at_least=0)"


@pytest.fixture(scope="module")
def outputs():
    """What a real kernel makes of each cell, as a notebook keeps it in the end."""
    cells = [FIRST, THREE, SHOWN, FALSE, WITHIN]
    notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
    NotebookClient(notebook, timeout=120, allow_errors=True, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def displays(outputs):
    return [output.data for output in outputs if output.output_type == "display_data"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell, line, names",
    [
        (0, "✓ alone & <b>: 2.25 (2 ± 0.5)", []),
        (1, "✓ 3 checks: first: 1", ["first", "second", "third"]),
        (2, "✓ 2 checks: second: 2", ["first", "second"]),
        (3, "✗ false: 1 of 2 checks", ["true", "false"]),
        (4, "✓ 2 checks: cell 0: 0", ["cell 0", "cell 1"]),
    ],
)
def test_the_claims_of_a_cell_are_one_line_that_unfolds(cell, line, names, outputs):
    (shown,) = displays(outputs[cell])
    page = Page(shown["text/html"])
    assert page.line == line and page.open == []
    assert [row[1] for row in page.rows[1:]] == names


@pytest.mark.slow
def test_a_false_claim_unfolds_those_before_it_and_stops_the_cell(outputs):
    (shown,) = displays(outputs[3])
    assert shown["text/html"].startswith('<details class="claims" open>')
    assert [row[0] for row in Page(shown["text/html"]).rows[1:]] == ["✓", "✗"]
    (error,) = [output for output in outputs[3] if output.output_type == "error"]
    assert (error.ename, error.evalue) == ("AssertionError", "✗ false: 2 (at least 3)")
    assert '<details class="claims"><' in displays(outputs[1])[0]["text/html"]


@pytest.mark.slow
def test_plain_text_has_every_claim_where_the_first_one_was_made(outputs):
    kinds = [output.output_type for output in outputs[1]]
    assert kinds[:2] == ["stream", "display_data"] and kinds.count("display_data") == 1
    assert displays(outputs[1])[0]["text/plain"].splitlines() == [
        "✓ first: 1 (at least 0)",
        "✓ second: 2 (at least 0)",
        "✓ third: 3 (at least 0)",
    ]
