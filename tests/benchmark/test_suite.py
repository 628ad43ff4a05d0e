"""Suites are read as written, and what does not fit is said before anything runs."""

from pathlib import Path

import pytest

from lamotr_mm.benchmark.suite import Row, choose, data_config, read_suites

ROOT = Path(__file__).resolve().parents[2]
SUITES = sorted((ROOT / 'configs' / 'suites').glob('*.py'))
CONFIG = str(ROOT / 'configs' / 'lamotr_synthetic.py')


@pytest.mark.parametrize('file', SUITES, ids=lambda file: file.stem)
def test_shipped_suites_name_what_is_there(file):
    suite = choose(read_suites([str(file)]))
    assert Path(data_config(suite.data)).is_file()
    for row in suite.rows:
        assert Path(row.config).is_file(), row
        assert row.weights is None or (ROOT / row.weights).is_file(), row


@pytest.fixture
def write(tmp_path):
    def write(text, name='suite.py'):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_paths_of_configs_are_relative_to_the_suite(write, tmp_path):
    file = write("data = 'd.py'\nrows = [dict(name='a', config='sub/c.py', overrides={'x.y': 1})]")
    suite = read_suites([file])
    assert suite.rows == [Row('a', str(tmp_path / 'sub/c.py'), {'x.y': 1})]
    assert (suite.title, suite.data, suite.seeds) == ('suite', str(tmp_path / 'd.py'), 1)


def test_several_files_are_one_table(write):
    first = write("budget = 5\nrows = [dict(name='a', config='a.py')]", 'first.py')
    second = write("budget = 9\ndata = 'people'\nseeds = 3\nrows = [dict(name='b', config='b.py')]")
    suite = read_suites([first, second, CONFIG])
    assert [row.name for row in suite.rows] == ['a', 'b', 'lamotr_synthetic']
    assert (suite.budget, suite.data, suite.seeds) == (5, 'people', 3)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('rows = []', r'suite\.py: rows=\[\] has no row'),
        ("rows = [dict(name='a')]", r'suite\.py, rows\[0\] has no config'),
        ("rows = [dict(name='a', config='a', weight='b')]", r'rows\[0\]: unknown key weight; kno'),
        ("seed = 1\nrows = [dict(name='a', config='a')]", r'unknown key seed; known are .*seeds'),
        ("rows = [dict(name='a', config='a'), dict(name='a', config='b')]", "are called 'a'"),
        ('x = 1', r'is neither a suite \(rows=\[...\]\) nor a config'),
        ('x = ', 'cannot be read: SyntaxError'),
    ],
)
def test_what_is_wrong_with_a_suite(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_suites([write(text)])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(), '--data: name synthetic, people or a config'),
        (dict(data='synthetic', seeds=0), '--seeds 0: 1 or more'),
        (dict(data='synthetic', budget=-1), '--budget -1: 1 or more'),
        (dict(data='synthetic', reference='b'), "no row is called 'b'; there is: a"),
        (dict(data='synthetic', weights={'b': CONFIG}), "no row is called 'b'"),
        (dict(data='synthetic', weights={'a': 'gone.pth'}), r'weights of a gone\.pth does not'),
    ],
)
def test_options_that_do_not_fit(write, options, message):
    suite = read_suites([write("rows = [dict(name='a', config='a.py')]")])
    with pytest.raises(ValueError, match=message):
        choose(suite, **options)


def test_the_command_line_wins(write):
    suite = read_suites([write("data = 'people'\nbudget = 3\nrows = [dict(name='a', config='a')]")])
    chosen = choose(suite, data='synthetic', budget=None, seeds=2, weights={'a': CONFIG})
    assert (chosen.data, chosen.budget, chosen.seeds) == ('synthetic', 3, 2)
    assert chosen.rows[0].weights == CONFIG
    with pytest.raises(ValueError, match=r'--data: config gone\.py does not exist'):
        data_config('gone.py')
