"""demo/lamotr_mm.ipynb: stored without outputs, and run from its first to its last cell."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'demo' / 'lamotr_mm.ipynb'
FRAMES = 6


@pytest.fixture(scope='module')
def executed(tmp_path_factory):
    """After its cells have run, on fewer frames; an error of a cell ends the test."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(r'^FRAMES = 40$', f'FRAMES = {FRAMES}', cell.source, flags=re.M)
    temporary = tmp_path_factory.mktemp('notebook')
    places = dict(
        IPYTHONDIR=str(temporary / 'ipython'),
        JUPYTER_RUNTIME_DIR=str(temporary / 'runtime'),
        MPLBACKEND='module://matplotlib_inline.backend_inline',
        PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')]),
        TMPDIR=str(temporary),
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in places.items():
            patch.setenv(name, value)
        NotebookClient(notebook, timeout=300, kernel_name='python3').execute(cwd=str(temporary))
    return notebook


def printed(notebook) -> list[str]:
    """What each cell of code printed."""
    return [
        ''.join(output.get('text', '') for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == 'code'
    ]


def test_it_is_stored_as_it_was_written():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert len(code) > 5
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert f'FRAMES = {FRAMES}' not in NOTEBOOK.read_text()


def test_every_frame_is_tracked_with_the_same_ids(executed):
    text = '\n'.join(printed(executed))
    frames = re.findall(r'^frame (\d+): ids \[([\d ]+)\]', text, re.MULTILINE)
    assert [int(number) for number, _ in frames] == list(range(1, FRAMES + 1))
    assert len({ids for _, ids in frames}) < FRAMES


def test_scores_are_those_of_an_easy_video(executed):
    (row,) = re.findall(r'^.*combined.*$', printed(executed)[-1], re.MULTILINE)
    hota = float(re.search(r'combined\D+([\d.]+)', row)[1])
    assert 50 < hota <= 100


def test_frame_and_scores_are_drawn(executed):
    pictures = [
        output
        for cell in executed.cells
        if cell.cell_type == 'code'
        for output in cell.outputs
        if 'image/png' in output.get('data', {})
    ]
    assert len(pictures) == 2
