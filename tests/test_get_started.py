"""docs/get_started.md: its commands and its block of Python, run as they stand."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from lamotr_mm.apis import cli
from lamotr_mm.io.mot_rows import read_rows

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'get_started.md').read_text()
FRAMES = 4


def commands() -> dict[str, list[str]]:
    """First word behind `python` or `lamotr` -> the words that follow, of the commands to run."""
    joined = re.sub(r'\\\n *', '', PAGE)
    found = [shlex.split(line) for line in re.findall(r'^    (.+)$', joined, re.MULTILINE)]
    return {words[1]: words[2:] for words in found if words[0] in ('python', 'lamotr')}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """After the video has been rendered, in fewer frames than on the page."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp('start')
        patch.chdir(folder)
        path = ROOT / 'tools' / 'render_synthetic.py'
        spec = importlib.util.spec_from_file_location('tool_render', path)
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        words = commands()['tools/render_synthetic.py']
        assert words[-2:] == ['--frames', '60']
        tool.main([*words[:-1], str(FRAMES)])
        yield folder


@pytest.fixture(scope='module')
def tracked(folder):
    """After the page's `lamotr track`."""
    cli.run(['track', *commands()['track']])
    return folder


def test_the_video_is_where_the_page_says(folder):
    named = set(re.findall(r'data/synthetic/\S+\.(?:mp4|txt)', PAGE))
    assert len(named) == 2
    assert all((folder / path).is_file() for path in named)


def test_tracks_are_written(tracked):
    assert (tracked / 'tracked.mp4').stat().st_size > 1000
    rows = read_rows(tracked / 'tracks.txt')
    assert set(rows[:, 0]) == set(range(1, FRAMES + 1))
    assert len(set(rows[:, 1])) >= 2


def test_scores_are_printed(tracked, capsys):
    cli.run(['eval', *commands()['eval']])
    out = capsys.readouterr().out
    assert all(name in out for name in ('HOTA', 'MOTA', 'IDF1'))
    score = float(re.search(r'combined\D+([\d.]+)', out)[1])
    assert score > 50, 'held out, but easy'


def test_python_prints_the_frames(tracked, capsys):
    (block,) = re.findall(r'^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
    exec(block, {})
    out = capsys.readouterr().out
    assert re.findall(r'^(\d) \[', out, re.MULTILINE) == ['1', '2', '3']
