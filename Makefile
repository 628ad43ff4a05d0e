# make demo | test | soak | train-demo | train-people | lint | docs | env      (README.md; docs/install.md for variables)
#
# Each step of the environment leaves a stamp when it is whole: a second call does nothing, and a
# call after an interruption goes on with the step that was interrupted.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# e.g. TORCH='torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu': no CUDA libraries
TORCH ?= torch==2.13.0
# further options for every call of pip
PIP_FLAGS ?=
VIDEO ?=

PY := $(VENV)/bin/python
PINS := -c requirements/constraints.txt
STAMPS := $(VENV)/stamps
# pip warns of every package that one of several indexes lacks: that goes to a log
PIP_LOG := $(VENV)/pip.log
pip_install = $(PY) -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) $(1) 2>$(PIP_LOG) || \
	{ sed '/^WARNING: /d' $(PIP_LOG) >&2; echo 'pip failed; its warnings are in $(PIP_LOG)' >&2; exit 1; }
# more threads than free cores make small networks many times slower
RUN := OMP_NUM_THREADS=1 $(PY)

.PHONY: help env demo test soak train-demo train-people lint docs

help:
	@echo 'make demo              track a synthetic video and print its scores'
	@echo 'make demo VIDEO=path   track this video'
	@echo 'make test              run the tests             make soak   run the long ones'
	@echo 'make train-demo        train the synthetic demo weights from nothing'
	@echo 'make train-people      train the people weights; needs their data and detector'
	@echo 'make lint              check style and types     make env    only install'
	@echo 'make docs              build docs/ as a site into site/'

env: $(STAMPS)/package

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; v = sys.version_info; assert v >= (3, 11), f"Python 3.11 or newer is needed, $(PYTHON) is {v[0]}.{v[1]}: make env PYTHON=python3.11"; v[:2] == (3, 11) or print(f"Python {v[0]}.{v[1]}: not tested, 3.11 is (docs/install.md)")'
	@echo '[1/5] virtual environment $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/torch: requirements/build.txt | $(STAMPS)/venv
	@echo '[2/5] build tools and $(TORCH)'
	@$(call pip_install,-r requirements/build.txt $(PINS))
	@$(call pip_install,$(TORCH))
	@touch $@

$(STAMPS)/mmcv: $(STAMPS)/torch tools/build_mmcv.sh
	@echo '[3/5] mmcv'
	@tools/build_mmcv.sh $(PY) --disable-pip-version-check $(PIP_FLAGS)
	@touch $@

$(STAMPS)/requirements: $(STAMPS)/mmcv $(wildcard requirements/*.txt)
	@echo '[4/5] the other packages'
	@$(call pip_install,-r requirements.txt -r requirements/export.txt -r requirements/tests.txt -r requirements/docs.txt $(PINS))
	@$(PY) -m pip check
	@touch $@

$(STAMPS)/package: $(STAMPS)/requirements setup.py pyproject.toml
	@echo '[5/5] lamotr_mm itself, editable'
	@$(call pip_install,--no-deps --no-build-isolation -e .)
	@$(PY) -c 'import lamotr_mm.registry'
	@touch $@
	@echo 'The environment is ready: source $(VENV)/bin/activate'

demo: env
	@$(RUN) tools/demo.py $(if $(VIDEO),--video '$(VIDEO)')

# with the lines of the package that no test ran, least covered files first
test: env
	@$(RUN) -m pytest --cov=lamotr_mm

soak: env
	@$(RUN) -m pytest -m soak

lint: env
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

# --strict: warnings are errors
docs: env
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict
	@echo 'Open site/index.html; for the search: $(PY) -m http.server -d site'

# ImageNet weights of the backbone
data/pretrained/mobilenetv2.pth: | env
	@$(RUN) tools/model_converters/mobilenetv2.py --out $@

train-demo: env data/pretrained/mobilenetv2.pth
	@$(RUN) tools/train.py configs/lamotr_synthetic.py --work-dir work_dirs/lamotr_synthetic --resume auto
	@$(RUN) tools/model_converters/publish_model.py "$$(cat work_dirs/lamotr_synthetic/last_checkpoint)" demo/weights/lamotr_synthetic.pth

# data and detector are not on PyPI: docs/training_small_data.md says where they come from
data/people/annotations/train.json data/pretrained/person_detector.pth:
	@echo '$@ is missing: docs/training_small_data.md says how to make it' >&2; exit 2

data/people/cutouts: data/people/annotations/train.json | env
	@$(RUN) tools/dataset_converters/cut_out_targets.py $< $@

train-people: env data/people/cutouts data/pretrained/person_detector.pth
	@$(RUN) tools/train.py configs/lamotr_people.py --work-dir work_dirs/lamotr_people --resume auto
	@$(RUN) tools/model_converters/publish_model.py "$$(cat work_dirs/lamotr_people/last_checkpoint)" demo/weights/lamotr_people.pth
