"""Curves from the scalars that LocalVisBackend keeps."""

import json

import cv2
import numpy as np
import pytest

from lamotr_mm.visualization.curves import find_scalars, main, plot_curves, read_scalars


def write_run(work_dir, name, iterations, value, every=10, prefix='', tail=''):
    """One run's scalars.json: training records, and a validation after every 100 iterations."""
    lines = []
    for i in range(iterations[0], iterations[1] + 1, every):
        loss = dict(loss=value, loss_det_cls=value / 2, loss_asso=value / 4)
        record = {f'{prefix}{k}' if prefix else k: v for k, v in loss.items()}
        if i % 50 == 0:
            record[f'{prefix}train/asso_f1' if prefix else 'asso_f1'] = 0.5
        lines.append({**record, 'd0.loss_det_cls': 3, 'epoch': 1, 'iter': i, 'step': i})
        if i % 100 == 0:
            lines.append({'track/HOTA': value, 'asso_f1': 0.25, 'step': i // 100})
    folder = work_dir / name / 'vis_data'
    folder.mkdir(parents=True)
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    (folder / 'scalars.json').write_text(text + tail)
    return folder / 'scalars.json'


def test_a_resumed_run_replaces_what_it_repeats(tmp_path):
    """The first run was killed at 260, in the middle of a line, and resumed from 200."""
    write_run(tmp_path, '20260101_000000', (10, 260), 9.0, tail='{"loss": 1.0, "it')
    write_run(tmp_path, '20260102_000000', (210, 300), 5.0)
    files = find_scalars(tmp_path)
    assert [file.parts[-3] for file in files] == ['20260101_000000', '20260102_000000']
    train, val = read_scalars(files)
    assert [record['iter'] for record in train] == list(range(10, 301, 10))
    assert {record['loss'] for record in train if record['iter'] > 200} == {5.0}
    assert [(record['iter'], record['track/HOTA']) for record in val] == [
        (100, 9.0),
        (200, 9.0),
        (300, 5.0),
    ]


def test_a_new_run_in_the_same_folder_starts_afresh(tmp_path):
    write_run(tmp_path, '20260101_000000', (10, 200), 9.0)
    write_run(tmp_path, '20260102_000000', (10, 100), 5.0)
    train, val = read_scalars(find_scalars(tmp_path))
    assert {record['loss'] for record in train} == {5.0}
    assert len(val) == 1


def test_names_with_prefixes(tmp_path):
    file = tmp_path / 'scalars.json'
    records = [{'train/asso_f1': 0.5, 'iter': 10}, {'val/asso_f1': 0.75, 'val/track/HOTA': 40}]
    file.write_text('\n'.join(json.dumps(record) for record in records))
    train, val = read_scalars([file])
    assert train == [{'asso_f1': 0.5, 'iter': 10}]
    assert val == [{'asso_f1': 0.75, 'track/HOTA': 40, 'iter': 10}]


def test_the_picture_shows_the_data(tmp_path):
    low, high = (write_run(tmp_path, name, (10, 200), v) for name, v in (('a', 3.0), ('b', 30.0)))
    empty = tmp_path / 'empty.json'
    empty.write_text('')
    pictures = []
    for source in (low, [low, high], empty):
        out = tmp_path / 'new' / 'curves.png'
        plot_curves(source, out)
        pictures.append(cv2.imread(str(out)))
        assert [file.name for file in out.parent.iterdir()] == ['curves.png']
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() > 100
    # lines are drawn in colour; without data there is none
    colour = [np.ptp(picture.astype(int), axis=2).max() for picture in pictures]
    assert min(colour[:2]) > 100 > colour[2]


def test_from_the_shell(tmp_path, monkeypatch, capsys):
    write_run(tmp_path, 'a', (10, 50), 1.0)
    monkeypatch.setattr('sys.argv', ['curves', str(tmp_path)])
    main()
    assert capsys.readouterr().out.strip() == str(tmp_path / 'curves.png')
    assert (tmp_path / 'curves.png').is_file()
    monkeypatch.setattr('sys.argv', ['curves', str(tmp_path / 'a')])
    with pytest.raises(SystemExit):
        main()
    assert 'has no */vis_data/scalars.json' in capsys.readouterr().err
    with pytest.raises(FileNotFoundError):
        plot_curves(tmp_path / 'no.json', tmp_path / 'x.png')
