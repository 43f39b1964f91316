import json
import sys
from pathlib import Path

import nbformat
import pytest

from tools import claim_runs
from tools.claim_runs import Run

CELLS = (
    "import os; from vae_course.claims import begin, claim; seed = begin('tiny')",
    "claim('seed', seed, at_most=1)",
    "claim('pictures', len(os.environ['VAE_COURSE_DIGITS']), equals=6, within=1)",
)


@pytest.fixture
def chapter(tmp_path):
    def write(*cells):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        path = tmp_path / "tiny.ipynb"
        nbformat.write(notebook, path)
        return path

    return write


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_a_run_goes_on_after_a_claim_that_failed(chapter, tmp_path):
    run = Run(chapter(*CELLS), 2, "digits")
    claim_runs.execute(run, tmp_path)
    found = records(run.result(tmp_path))
    assert [(r["name"], r["value"], r["holds"]) for r in found] == [
        ("seed", 2, False),
        ("pictures", 6, True),
    ]


@pytest.mark.slow
def test_an_error_that_is_no_claim_is_kept_and_fails_the_tally(chapter, tmp_path):
    run = Run(chapter(*CELLS, "1 / 0"), 0, "digits")
    claim_runs.execute(run, tmp_path)
    lines, good = claim_runs.tally({run: run.result(tmp_path)})
    assert not good and "ZeroDivisionError" in lines[-1]


@pytest.mark.slow
def test_only_a_finished_run_counts_as_done(chapter, tmp_path):
    run = Run(chapter("import os; os._exit(1)"), 0, "digits")
    with pytest.raises(Exception, match="[Kk]ernel died"):
        claim_runs.execute(run, tmp_path)
    assert not run.result(tmp_path).exists()


def test_tally_counts_what_held_and_puts_the_narrowest_first(tmp_path):
    def claimed(name, value, margin):
        bound = {"at_least": 2.0}
        return {"notebook": "n", "name": name, "value": value, "bound": bound,
                "holds": margin >= 0, "margin": margin}  # fmt: skip

    results = {}
    for seed, (wide, narrow) in enumerate([(4.0, 2.5), (5.0, 1.9)]):
        run = Run(Path("n.ipynb"), seed, "digits")
        run.result(tmp_path).write_text(
            json.dumps(claimed("wide", wide, wide - 2))
            + "\n"
            + json.dumps(claimed("narrow", narrow, narrow - 2))
        )
        results[run] = run.result(tmp_path)
    lines, good = claim_runs.tally(results)
    assert not good
    assert "1 of   2" in lines[0] and "-5.0 %" in lines[0] and "narrow" in lines[0]
    assert "2 of   2" in lines[1] and "100.0 %" in lines[1] and "wide" in lines[1]


def test_an_interrupted_call_does_not_run_again_what_it_has(chapter, tmp_path, monkeypatch):
    path = chapter(*CELLS)
    done = []
    monkeypatch.setattr(claim_runs, "ROOT", tmp_path)
    monkeypatch.setattr(claim_runs, "execute", lambda run, folder: _finish(run, folder, done))
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["claim_runs.py", "--seeds", "2", str(path)])
    assert claim_runs.main() == 0 and len(done) == 2
    monkeypatch.setattr(sys, "argv", ["claim_runs.py", "--seeds", "3", str(path)])
    assert claim_runs.main() == 0 and [run.seed for run in done] == [0, 1, 2]
    chapter(*CELLS, "pass")  # a changed chapter starts afresh
    assert claim_runs.main() == 0 and len(done) == 6


def _finish(run, folder, done):
    done.append(run)
    run.result(folder).write_text("")


def test_mnist_is_used_only_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_COURSE_DATA", str(tmp_path))
    assert claim_runs.pictures_at_hand() == ["digits"]
    (tmp_path / "MNIST").mkdir()
    assert claim_runs.pictures_at_hand() == ["digits", "mnist"]
    monkeypatch.delenv("VAE_COURSE_DATA")
    assert claim_runs.pictures_at_hand() == ["digits"]


def test_the_plan_has_every_chapter_seed_and_set_of_pictures_once():
    plan = claim_runs.plan([Path("a.ipynb"), Path("b.ipynb")], 3, ["digits", "mnist"])
    assert len(plan) == len(set(plan)) == 12
