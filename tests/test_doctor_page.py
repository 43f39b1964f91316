"""The page "The doctor" says what the doctor says."""

import re

import doctor_page
import pytest

from vae_course.doctor.advice import ADVICE
from vae_course.doctor.evidence import EVIDENCE
from vae_course.doctor.report import CHAPTERS

TEXT = doctor_page.PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date():
    assert doctor_page.page() == TEXT


def test_each_finding_has_its_evidence_and_none_is_left_over():
    assert list(EVIDENCE) == list(ADVICE)
    assert list(doctor_page.PARTS) == [name for name in ADVICE if name in doctor_page.PARTS]


@pytest.mark.parametrize("name", ADVICE)
def test_a_finding_stands_once_with_all_its_parts(name):
    section = re.findall(rf"`{name}`\n(.*?)(?=\n##|\Z)", TEXT, re.DOTALL)
    assert len(section) == 1
    kinds = ("Symptom", "Evidence", "Looks like it", "Change", "Read")
    assert all(f"**{kind}" in section[0] for kind in kinds)
    chapter = ADVICE[name][3]
    assert f"[{CHAPTERS[chapter]}]({chapter}.ipynb)" in section[0]


def test_a_finding_that_says_nothing_of_its_evidence_is_an_error(monkeypatch):
    monkeypatch.delitem(EVIDENCE, "blur")
    with pytest.raises(KeyError, match="blur"):
        doctor_page.page()
