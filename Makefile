# Everything is set up on the way: `make book` and `make test` work in a fresh clone.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
export PATH := $(abspath $(RUN)):$(PATH)
# Progress bars belong on a terminal, not into the pages.
export TQDM_DISABLE := 1
# A quiet kernel: the debugger's notice about frozen modules would end up on the pages.
export PYDEVD_DISABLE_FILE_VALIDATION := 1

# Hundreds of processes import the package: compile it once, even where the environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE

# One thread a kernel: chapters run two at a time under nbval, and OpenMP threads that wait for one
# another crawl as soon as anything else wants their core.
export OMP_NUM_THREADS ?= 1

# The longest chapters come first, so that no core is idle in the end.
LONGEST := $(wildcard book/02_*.ipynb book/11_*.ipynb book/12_*.ipynb)
CHAPTERS := $(LONGEST) $(filter-out $(LONGEST),$(shell ls -r book/*.ipynb))
SOLUTIONS := $(shell ls -r book/solutions/*.ipynb)
# What a chapter's results depend on besides its own cells.
OUTSIDE := VAE_COURSE_DIGITS=$(VAE_COURSE_DIGITS) VAE_COURSE_SEED=$(VAE_COURSE_SEED)
# MNIST and Fashion-MNIST for other runs of the chapters: in the folder that is set, or beside this
# checkout.
DATA := $(patsubst %/MNIST,%,$(firstword $(wildcard $(VAE_COURSE_DATA)/MNIST) $(wildcard $(abspath ../shared/data/MNIST))))
FASHION := $(if $(DATA),$(wildcard $(DATA)/FashionMNIST))
# Portraits for chapter 10, where there are some: the folder that is set, or a few beside this checkout.
ARCHIVE := $(wildcard ../shared/data/CongressFaces/congress_faces.zip)
PORTRAITS := $(or $(VAE_COURSE_PORTRAITS),$(if $(ARCHIVE),$(abspath _build/portraits)))
NBVAL := pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 -p no:cacheprovider -n 2 --dist loadfile --no-loadscope-reorder
BUILD := jupyter-book build book --config $(abspath _config.yml) --toc $(abspath _toc.yml) --path-output . -W -n --keep-going
ON_MNIST = VAE_COURSE_DATA=$(DATA) VAE_COURSE_PORTRAITS=$(PORTRAITS)
# `make all` sets this: then tests marked `weekly` run, too, and checks are tried with more seeds.
EVERYTHING ?=
NOT := $(if $(EVERYTHING),,-m "not weekly")
SEEDS ?= 20

.PHONY: setup book epub pdf quick test all lint unit chapters sets executed browser pages newest notebooks nbgrader repository serve clean bench race claims reference lock

setup: $(VENV)/ready

$(VENV)/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --disable-pip-version-check -r requirements.txt
	pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# jupyter-cache and Sphinx know the notebooks alone, so both forget when the package or the settings
# change.
_build/fresh: $(VENV)/ready $(shell find vae_course book/_ext -type f -not -name '*.pyc') _build/settings
	rm -rf _build/.jupyter_cache _build/.doctrees _build/html/_beside
	@touch $@

_build/settings: FORCE
	@mkdir -p _build
	@echo "$(OUTSIDE)" | cmp -s - $@ || echo "$(OUTSIDE)" > $@
FORCE:

# The notebooks that the pages need and whose code is new. The build finds their results.
executed: setup _build/fresh
	python tools/execute.py $(CHAPTERS) $(SOLUTIONS)

book: executed
	$(BUILD)
	@echo "Open file://$(abspath _build/html/index.html)"

# The whole book in one file.
epub: executed
	$(BUILD) --builder custom --custom-builder epub
	@echo "The book is _build/epub/vae-course.epub"

pdf: executed
	$(BUILD) --builder singlehtml
	python tools/print_book.py _build/singlehtml/index.html _build/vae-course.pdf

# For each commit: what trains nothing and runs no notebook.
quick: lint
	pytest -m "not slow"

# For each push. No notebook runs twice the same way: the pages are seed 0 on drawn digits.
test: setup
	+@python tools/phases.py lint unit executed chapters+book browser

# Once a week: all seeds, pages, colours and sets.
all: setup
	+@EVERYTHING=1 VAE_COURSE_CHECK_SEEDS=200 python tools/phases.py lint unit executed sets+book browser

lint: setup
	ruff check .
	ruff format --check .
	mypy

unit: setup
	pytest -n 2 --dist loadgroup --no-loadscope-reorder --ignore=tests/browser $(NOT)

# The chapters as no page shows them: on MNIST where there is some, with another seed where not.
chapters: setup
ifneq ($(DATA),)
	$(if $(ARCHIVE),python -m zipfile -e $(ARCHIVE) _build/portraits)
	VAE_COURSE_DIGITS=mnist $(ON_MNIST) $(NBVAL) $(CHAPTERS)
else
	VAE_COURSE_SEED=1 $(NBVAL) $(CHAPTERS)
endif

sets: chapters
	VAE_COURSE_DIGITS=mnist_5k $(NBVAL) $(CHAPTERS)
ifneq ($(DATA),)
	VAE_COURSE_SEED=1 $(NBVAL) $(CHAPTERS)
endif
ifneq ($(FASHION),)
	VAE_COURSE_DIGITS=fashion_mnist $(ON_MNIST) $(NBVAL) $(CHAPTERS)
endif

# The built pages in a browser. Where there is none the last line says so, and in CI it is an error.
# Three at a time: a fifth of it is waiting for a page that comes to rest.
browser: setup
	pytest tests/browser -p no:cacheprovider -n 3 --dist loadgroup $(NOT)

pages: book
	$(MAKE) browser

notebooks: setup
	python tools/notebooks.py

nbgrader: setup
	@test -n "$(COURSE)" || { echo "Say where: make nbgrader COURSE=folder-of-your-course"; exit 2; }
	python tools/notebooks.py --nbgrader $(COURSE)

repository: setup
	python tools/repository.py "$(URL)"
	python tools/notebooks.py

serve: book
	cd _build/html && python -m http.server 8000 --bind 127.0.0.1

bench: setup
	OMP_NUM_THREADS=$$(nproc) python tools/bench.py

# How long until −ELBO ≤ 100? Minutes; the machine should have nothing else to do.
race: setup
	VAE_COURSE_DATA=$(or $(VAE_COURSE_DATA),$(DATA)) python tools/race.py

claims: setup
	TQDM_DISABLE= VAE_COURSE_DATA=$(DATA) python tools/claim_runs.py --seeds $(SEEDS)

# Without ROW, the list of rows. It goes on where it was stopped.
reference: setup
	TQDM_DISABLE= VAE_COURSE_DATA=$(or $(VAE_COURSE_DATA),$(DATA)) python tools/reference.py $(ROW) --seed $(or $(SEED),0) $(if $(EPOCHS),--epochs $(EPOCHS))

lock: setup
	pip install --quiet uv
	cp requirements.txt _build/lock.txt
	uv pip compile pyproject.toml --extra book --extra test --universal --python-version 3.10 --no-header --no-annotate --quiet --output-file _build/lock.txt
	{ grep '^#' requirements.txt; grep -vE '^(nvidia|cuda|triton)' _build/lock.txt; } > _build/requirements.txt
	mv _build/requirements.txt requirements.txt

# Everything again in another environment, with the newest versions that pyproject.toml allows.
newest:
	$(PYTHON) -m venv _build/newest
	_build/newest/bin/pip install --quiet --upgrade pip
	_build/newest/bin/pip install --quiet --upgrade --editable '.[book,test]'
	@touch _build/newest/ready
	$(MAKE) VENV=_build/newest test

clean:
	rm -rf _build $(VENV) vae_course.egg-info .pytest_cache .mypy_cache .ruff_cache
