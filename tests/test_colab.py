"""A notebook as Colab opens it: alone in an empty folder, torch there, the course's package not."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import notebooks
import pytest
import repository

ROOT = Path(__file__).parents[1]
URL = "https://github.com/some-one/vae.course"
NOTEBOOKS = sorted((ROOT / "book").glob("**/*.ipynb"))
RUN = """
import json, sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=300, allow_errors=True, kernel_name="python3").execute()
print(json.dumps([o for c in notebook.cells for o in c.get("outputs", []) if "ename" in o]))
"""


def git(*arguments, cwd):
    who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    subprocess.run(["git", *who, *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A git repository with this checkout's package, committed or not."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(
        ROOT / "vae_course", folder / "vae_course", ignore=shutil.ignore_patterns("__pycache__")
    )
    git("init", "--quiet", cwd=folder)
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "--message", "x", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def colab(tmp_path_factory, clone):
    """Run Python in an empty folder, where the package is missing. `reach` is the network."""
    folder = tmp_path_factory.mktemp("colab")
    python = environment_without_the_package(folder)

    def run(*arguments, reach=True):
        empty = folder / "empty"
        empty.mkdir(exist_ok=True)
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        env |= redirected(clone if reach else folder / "nowhere")
        return subprocess.run(
            [python, *arguments], cwd=empty, env=env, capture_output=True, text=True
        )

    return run


def environment_without_the_package(folder):
    """A Python that sees everything installed here, from outside, but for the package."""
    venv.create(folder / "venv")
    (folder / "packages").mkdir()
    for path in map(Path, sys.path):
        if path.name in ("site-packages", "dist-packages"):
            for entry in path.iterdir():
                there = folder / "packages" / entry.name
                if "vae_course" not in entry.name and not there.exists():
                    there.symlink_to(entry)
    (site,) = (folder / "venv").glob("[Ll]ib/**/site-packages")
    (site / "installed.pth").write_text(str(folder / "packages"))
    return folder / "venv" / ("Scripts/python" if os.name == "nt" else "bin/python")


def redirected(place):
    """Settings under which git finds the course's address at `place`, and pip asks nobody."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{place}.insteadOf",
        "GIT_CONFIG_VALUE_0": URL,
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say "use the setuptools that is here"
    }


WHOLE = """
import torch, vae_course.doctor, vae_course.checks.judging
assert "/venv/" in vae_course.__file__, vae_course.__file__
assert "/packages/" in torch.__file__, torch.__file__
"""


@pytest.mark.slow
@pytest.mark.parametrize("url", ["", URL], ids=["no address", "no network"])
def test_without_the_package_one_message_says_what_to_do(url, colab):
    done = colab("-c", repository.install_cell(url), reach=False)
    *_, message = done.stderr.splitlines()
    assert message.startswith("ImportError: ")
    assert (url in message and "Is there a network?" in message) if url else "pip inst" in message
    assert len(done.stderr.splitlines()) < 10 and not done.stdout


@pytest.mark.slow
def test_a_notebook_installs_the_package_and_runs_to_its_end(colab, tmp_path):
    notebook = nbformat.read(ROOT / "book/solutions/04_analytic_kl.ipynb", as_version=4)
    install = repository.install_cell(URL)
    notebook.cells[1].source = install
    # At the end: is all of it there, from git, and does the first cell now leave it alone?
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in (WHOLE, install)]
    nbformat.write(notebook, tmp_path / "one.ipynb")
    done = colab("-c", RUN, tmp_path / "one.ipynb")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("url", ["", URL])
def test_the_cell_is_short_and_does_nothing_where_the_package_is(url):
    source = repository.install_cell(url)
    assert len(source.splitlines()) < 10
    names = {}
    exec(source, names)
    assert "pip" not in names


# ---- One address, everywhere


def test_every_notebook_has_the_address_of_the_config():
    right = repository.install_cell(repository.address())
    wrong = [
        path.name
        for path in NOTEBOOKS
        if next(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code")
        != right
    ]
    assert not wrong, "run `make repository URL=…`, or `make notebooks`"
    assert len(NOTEBOOKS) >= 27


@pytest.fixture
def course(tmp_path):
    for name in ("_config.yml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    repository.rename("", tmp_path)
    (tmp_path / "book/src").mkdir(parents=True)
    shutil.copy(ROOT / "book/src/01_autoencoders.py", tmp_path / "book/src")
    return tmp_path


def test_a_name_goes_everywhere_and_away_again(course):
    nameless = {path.name: path.read_text("utf-8") for path in course.glob("*.*")}
    for url in (URL, "https://github.com/other/name"):
        repository.rename(url, course)
        assert repository.address(course) == url
        config = (course / "_config.yml").read_text("utf-8")
        assert f'colab_url: "{repository.COLAB}"' in config
        assert f'baseurl: "{repository.site(url)}"' in config
        assert "use_repository_button: true" in config
        assert url in (course / "README.md").read_text("utf-8")
        (text,) = notebooks.out_of_date(course).values()
        assert f"git+{url}" in text
    assert repository.PLACEHOLDER not in (course / "README.md").read_text("utf-8")
    repository.rename("", course)
    assert {path.name: path.read_text("utf-8") for path in course.glob("*.*")} == nameless


def test_the_site_of_a_repository_is_where_github_serves_it():
    assert repository.site("https://github.com/Owner/Name") == "https://owner.github.io/Name/"
    assert repository.site("https://github.com/o/o.github.io") == "https://o.github.io/"
    assert repository.site("") == ""


@pytest.mark.parametrize("url", [f"{URL}/", f"{URL}.git", f" {URL} "])
def test_usual_forms_of_an_address_are_understood(url):
    assert repository.checked(url) == URL


@pytest.mark.parametrize(
    "url", ["github.com/a/b", "https://gitlab.com/a/b", "https://github.com/a", f'{URL}"; x']
)
def test_other_addresses_are_refused(url):
    with pytest.raises(ValueError, match="https://github.com/owner/name"):
        repository.checked(url)


def test_a_config_without_its_line_is_an_error(course):
    (course / "_config.yml").write_text("repository:\n  url:\n")
    with pytest.raises(ValueError, match="url"):
        repository.rename(URL, course)
