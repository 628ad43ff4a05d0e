"""The shipped lists against what the benchmarks say of themselves."""

import re

import pytest

from lamotr_mm.preparation import official_splits


@pytest.mark.parametrize(
    ('splits', 'counts', 'form'),
    [
        (official_splits.DANCETRACK, dict(train=40, val=25, test=35), r'dancetrack0\d{3}'),
        (official_splits.SPORTSMOT, dict(train=45, val=45, test=150), r'v_[\w-]{11}_c\d{3}'),
        (official_splits.MOT17, dict(train=7, test=7), r'MOT17-\d\d-FRCNN'),
    ],
)
def test_numbers(splits, counts, form):
    """As published; sorted; no sequence in two splits."""
    assert {split: len(names) for split, names in splits.items()} == counts
    names = [name for split in splits.values() for name in split]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(form, name) for name in names)
    assert all(list(names) == sorted(names) for names in splits.values())


def test_wholes():
    """DanceTrack's hundred; MOT17 has 14; no match of SportsMOT is in two splits."""
    names = sum(official_splits.DANCETRACK.values(), ())
    assert sorted(names) == [f'dancetrack{number:04d}' for number in range(1, 101)]
    numbers = sorted(name[6:8] for names in official_splits.MOT17.values() for name in names)
    assert numbers == [f'{number:02d}' for number in range(1, 15)]
    videos = [{n[2:13] for n in names} for names in official_splits.SPORTSMOT.values()]
    assert sum(map(len, videos)) == len(set.union(*videos))
