"""Boxes between key frames, worked by hand."""

from lamotr_mm.io.annotations.key_frames import Key, fill


def boxes(keys, last):
    return [(frame, *box) for frame, box, _ in fill(keys, last)]


def test_linear_between_keys_and_still_after_the_last():
    keys = [Key(5, (8.0, 20.0)), Key(1, (0.0, 10.0))]
    assert boxes(keys, 7) == [
        (1, 0, 10),
        (2, 2, 12.5),
        (3, 4, 15),
        (4, 6, 17.5),
        (5, 8, 20),
        (6, 8, 20),
        (7, 8, 20),
    ]


def test_a_target_that_is_away():
    """Gone from 3 on, back at 6; at 7 for the last time."""
    keys = [
        Key(1, (0.0,)),
        Key(3, (4.0,), shown=False, goes_on=False),
        Key(6, (9.0,)),
        Key(7, (9.0,), goes_on=False),
    ]
    assert boxes(keys, 9) == [(1, 0), (2, 2), (6, 9), (7, 9)]


def test_the_key_of_each_box():
    keys = [Key(1, (0.0,)), Key(3, (2.0,))]
    assert [key.frame for _, _, key in fill(keys, 4)] == [1, 1, 3, 3]
    assert boxes([], 3) == []
