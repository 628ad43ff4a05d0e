"""`prepare_sportsmot.py` on miniature downloads in its four layouts."""

import shutil

import pytest
from miniature_downloads import (
    below,
    check_split,
    load,
    merged,
    prepare,
    sequence,
    write_files,
    write_tar,
    write_zip,
)

from lamotr_mm.preparation import official_splits

SPORTS = {
    'train': ('v_-6Os86HzwCs_c001', 'v_1LwtoLPw2TU_c006'),
    'val': ('v_00HRwkvvjtQ_c001',),
    'test': ('v_-9kabh1K8UA_c008', 'v_aAb0psypDj4_c003'),
}


def make_sports(splits=SPORTS):
    """Per split its sequences: files and rows."""
    return {
        split: {
            name: sequence(name, 2, (0, 7) if split != 'test' else (), split != 'test', digits=6)
            for name in names
        }
        for split, names in splits.items()
    }


def lists(splits=SPORTS):
    return {f'splits_txt/{s}.txt': ' \n'.join(names).encode() for s, names in splits.items()}


def sports_zip(src, made):
    files = lists() | {'splits_txt/football.txt': b''}
    # ground truth once more, without frames
    files[f'scripts/ref/{SPORTS["train"][0]}/gt/gt.txt'] = b'1,1,1,1,1,1,1,1,1'
    for split, sequences in made.items():
        files |= below(f'dataset/{split}', merged(sequences))
    write_zip(src / 'sportsmot_publish.zip', below('sportsmot_publish', files))


def sports_folders(src, made):
    write_files(src, lists())
    for split, sequences in made.items():
        write_files(src / 'dataset' / split, merged(sequences))


def sports_flat(src, made):
    write_files(src, lists())
    for sequences in made.values():
        write_files(src / 'dataset', merged(sequences))


def sports_tars(src, made):
    for split, sequences in made.items():
        files = below(split, merged(sequences))
        write_tar(src / 'dataset' / f'{split}.tar', files, src / 'source')


@pytest.mark.parametrize('layout', [sports_zip, sports_folders, sports_flat, sports_tars])
def test_sportsmot(tmp_path, capsys, layout):
    """The zip of the challenge, what it unpacks to, one folder for all splits, tars by split."""
    made = make_sports()
    layout(tmp_path / 'downloads', made)
    out = tmp_path / 'data'
    arguments = ('sportsmot', tmp_path / 'downloads', '--out', out)
    assert prepare(*arguments) == 1
    err = capsys.readouterr().err
    assert '43 of 45 sequences are missing' in err and '148 of 150' in err
    assert ('not in train.tar' if layout is sports_tars else 'train.tar is not there') in err
    assert not out.exists()
    assert prepare(*arguments, '--allow-partial') == 0
    for split, sequences in made.items():
        check_split(out, split, sequences)
    shown = capsys.readouterr().out
    assert all(text in shown for text in ('2 of 45', '1 of 45', '2 of 150'))


def test_all_of_sportsmot(tmp_path, capsys):
    """240 sequences; then one is gone."""
    made = make_sports_of_one_frame()
    for split, files in made.items():
        write_tar(tmp_path / f'{split}.tar', below(split, files), tmp_path / 'source')
    out = tmp_path / 'data'
    assert prepare('sportsmot', tmp_path, '--out', out) == 0
    counts = {split: len(load(out, split)['videos']) for split in made}
    assert counts == {'train': 45, 'val': 45, 'test': 150}
    shutil.rmtree(out / 'test' / 'v_iF9bKPWdZlc_c003')
    (tmp_path / 'test.tar').unlink()
    assert prepare('sportsmot', tmp_path, '--out', out) == 1
    err = capsys.readouterr().err
    assert '1 of 150 sequences are missing' in err
    assert '(v_iF9bKPWdZlc_c003): test.tar is not there' in err


def make_sports_of_one_frame():
    return {
        split: merged({n: sequence(n, 1, (1,), split != 'test', digits=6) for n in names})
        for split, names in official_splits.SPORTSMOT.items()
    }


@pytest.mark.parametrize('size', [0, 300, 2000, 5000, -512])
def test_cut_off_tar(tmp_path, capsys, size):
    """Within a header, within a file, at the end."""
    made = make_sports()
    sports_tars(tmp_path, made)
    tar = tmp_path / 'dataset' / 'val.tar'
    whole = tar.read_bytes()
    end = len(whole.rstrip(b'\0'))
    tar.write_bytes(whole[: size if size >= 0 else end + size])
    assert prepare('sportsmot', tmp_path, '--out', tmp_path / 'data', '--allow-partial') == 1
    assert f'{tar}: cut off or damaged' in capsys.readouterr().err
    assert not (tmp_path / 'data').exists()
