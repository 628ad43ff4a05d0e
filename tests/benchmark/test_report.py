"""The report's numbers are TrackEval's, what is missing is said, the page works in a browser."""

import csv
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from mmengine.config import Config

from lamotr_mm.benchmark.disagreement import find_scenes, owners, strips
from lamotr_mm.benchmark.jobs import Job
from lamotr_mm.benchmark.plan import Entry, Run
from lamotr_mm.benchmark.report import Facts, as_csv, as_html, as_markdown
from lamotr_mm.benchmark.table import collect
from lamotr_mm.evaluation import evaluate_sequences

FACTS = Facts('Title <b>', dict(hardware='a CPU'))
NAMES = ('synthetic-20000-d0', 'synthetic-20001-d1')
CONFIG = Config(
    dict(
        test_dataloader=dict(
            dataset=dict(
                type='lamotr_mm.SyntheticVideoDataset',
                split='test',
                num_videos=2,
                video_length=8,
                difficulty=(0, 1),
                height=96,
                width=128,
                test_mode=True,
            )
        )
    )
)


def truth():
    """Two targets that walk, by sequence."""
    rows = [
        [frame, target, 10 + 50 * (target - 1) + frame, 20, 16, 40, 1, 1]
        for frame in range(1, 9)
        for target in (1, 2)
    ]
    return {name: np.array(rows, float) for name in NAMES}


def tracks(swap_at=99, missing=()):
    """Tracks on them, which change an id at a frame of the second sequence."""
    found = {name: rows.copy() for name, rows in truth().items()}
    late = found[NAMES[1]]
    late[(late[:, 0] >= swap_at) & (late[:, 1] == 2), 1] = 7
    return {name: rows[~np.isin(rows[:, 0], missing)] for name, rows in found.items()}


@pytest.fixture
def tested(tmp_path):
    """A test job that has been run, of a row and seed."""

    def tested(name, seed, found, reason=''):
        job = Job(f'{name} {seed}', tmp_path / f'{name} {seed}', [], reason=reason)
        if not reason:
            job.folder.mkdir()
            scores = evaluate_sequences(truth(), found)
            result = scores | dict(parameters=1234567)
            (job.folder / 'result.json').write_text(json.dumps(result))
            arrays = {f'truth/{key}': value for key, value in truth().items()}
            np.savez(
                job.folder / 'rows.npz', **arrays, **{f'tracks/{k}': v for k, v in found.items()}
            )
            job.finish(60.0, well=True)
        return Run(seed, job)

    return tested


@pytest.fixture
def entries(tested):
    return [
        Entry('steady', [tested('steady', 0, tracks()), tested('steady', 1, tracks(missing=[3]))]),
        Entry('swaps', [tested('swaps', None, tracks(swap_at=4))]),
        Entry('oracle', [tested('oracle', None, tracks())], oracle=True),
        Entry('broken', [tested('broken', 0, None, 'ValueError: no | way')]),
        Entry('absent', reason='the data set is missing'),
    ]


@pytest.fixture
def table(entries):
    return collect(entries, None, None)


def test_numbers_are_trackevals(table):
    expected = {
        ('steady', '0'): evaluate_sequences(truth(), tracks()),
        ('steady', '1'): evaluate_sequences(truth(), tracks(missing=[3])),
        ('swaps', 'given weights'): evaluate_sequences(truth(), tracks(swap_at=4)),
    }
    lines = list(csv.DictReader(io.StringIO(as_csv(table))))
    found = {(line['row'], line['seed'], line['sequence']): line for line in lines}
    for (row, seed), scores in expected.items():
        for name, of in {'all': scores['combined'], **scores['sequences']}.items():
            for metric in ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDF1', 'IDSW', 'FP', 'FN'):
                assert float(found[row, seed, name][metric]) == pytest.approx(of[metric])
    both = [expected['steady', seed]['combined']['HOTA'] for seed in '01']
    mean = found['steady', 'mean', 'all']
    assert float(mean['HOTA']) == pytest.approx(np.mean(both))
    assert float(mean['HOTA_std']) == pytest.approx(np.std(both, ddof=1))
    text = as_markdown(table, FACTS)
    assert f'| steady | {np.mean(both):.1f} ± {np.std(both, ddof=1):.1f} |' in text
    assert '| 1.23M |' in text


def test_empty_rows_have_their_reason(table):
    text = as_markdown(table, FACTS)
    assert '| broken: **ValueError: no / way** |' in text
    assert '| absent: **the data set is missing** |' in text
    widths = {line.count('|') for line in text.split('\n\n')[2].splitlines()}
    assert len(widths) == 1, 'the table is whole'
    lines = {line['row']: line for line in csv.DictReader(io.StringIO(as_csv(table)))}
    assert lines['broken']['reason'] == 'ValueError: no | way' and lines['broken']['HOTA'] == ''


def test_a_seed_that_is_missing_is_said(tested):
    runs = [tested('a', 0, tracks()), tested('a', 1, None, 'killed')]
    (row,) = collect([Entry('a', runs)], None, None).rows
    assert row.counts is not None and row.reason == '1 of 2 seeds: killed'


def test_other_sequences_are_not_compared(tested, entries):
    other = tested('other', 0, tracks())
    file = other.test.folder / 'result.json'
    file.write_text(file.read_text().replace(NAMES[1], 'elsewhere'))
    table = collect([*entries, Entry('other', [other])], None, None)
    assert table.rows[-1].counts is None and 'other sequences' in table.rows[-1].reason


def test_an_oracle_is_never_the_best(table):
    line = next(line for line in as_markdown(table, FACTS).splitlines() if '*oracle*' in line)
    assert '**' not in line


def test_frames_per_second_come_from_one_job(entries, tmp_path):
    speed = Job('speed', tmp_path / 'speed', [])
    speed.prepare()
    (speed.folder / 'result.json').write_text('{"steady": 40.0}')
    speed.finish(1, well=True)
    table = collect(entries, speed, None)
    assert [row.fps for row in table.rows[:2]] == [25.0, None]


def test_where_trackers_disagree(table):
    """From frame 4 on, one row has id 7 on target 2."""
    folders = {row.name: row.folders[0] for row in table.filled(oracles=False)}
    by_row = {
        name: {NAMES[1]: owners(truth()[NAMES[1]], found[NAMES[1]])}
        for name, found in dict(steady=tracks(), swaps=tracks(swap_at=4)).items()
    }
    (scene,) = find_scenes(by_row)
    assert scene[:3] == (NAMES[1], 4, 2)
    assert (scene.switched, scene.kept) == ({'swaps': (2, 7)}, {'steady': 2})
    (strip,) = strips(folders, CONFIG)
    assert (strip.frames, strip.event) == ([2, 3, 4, 5], 4)
    told = [(name, text, len(images)) for name, text, images in strip.rows]
    assert told == [('steady', 'keeps id 2', 4), ('swaps', 'id 2 becomes 7', 4)]
    assert find_scenes(dict(a=by_row['steady'], b=by_row['steady'])) == []


@pytest.fixture
def page(table):
    folders = {row.name: row.folders[0] for row in table.filled(oracles=False)}
    return as_html(table, FACTS, strips(folders, CONFIG))


def test_the_page_needs_nothing_else(page):
    for address in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert address.startswith('data:image/'), address[:60]
    assert not re.search(r'@import|url\(|<link|fetch\(', page)
    assert 'Title &lt;b&gt;' in page and '<b>' not in page


# what a person does with the keyboard; the outcome is written into the title
PRESS = """
<script>
const press = (key) => document.activeElement.dispatchEvent(
  new KeyboardEvent('keydown', {key, bubbles: true}));
const seen = () => sections.filter((section) => !section.hidden).map((s) => s.dataset.tab).join();
const found = [tabs.length, seen()];
tabs[0].focus();
for (const key of ['ArrowRight', 'End', 'ArrowRight', 'ArrowLeft', 'Home']) {
  press(key);
  found.push(seen() + (document.activeElement.getAttribute('aria-selected') === 'true' ? '' : '!'));
}
tabs[1].click();
found.push(seen());
found.push([...document.images].every((image) => image.complete && image.naturalWidth > 0));
const wide = document.documentElement.scrollWidth > window.innerWidth;
document.title = JSON.stringify([...found, wide]);
</script>
"""


def test_in_a_browser(page, tmp_path):
    browser = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)
    if browser is None:
        pytest.skip('there is no chromium to open the page in: apt-get install chromium')
    file = tmp_path / 'page.html'
    file.write_text(page.replace('</body>', f'{PRESS}</body>'))
    command = [browser, '--headless', '--no-sandbox', '--disable-gpu', '--window-size=1366,768']
    command += [f'--user-data-dir={tmp_path / "profile"}', '--virtual-time-budget=5000']
    done = subprocess.run(
        [*command, '--dump-dom', file.as_uri()], capture_output=True, text=True, timeout=300
    )
    title = re.search(r'<title>(.*?)</title>', done.stdout)
    assert title, done.stderr
    names = ['Table', 'HOTA over α', 'HOTA over difficulty', 'AssA against DetA', 'Disagreements']
    names.append('Sequences')
    table, alpha, *_, last = names
    moves = [alpha, last, table, last, table]
    assert json.loads(title.group(1)) == [6, table, *moves, alpha, True, False]
