"""Names of frames and sequences, on cases made by hand."""

import os

import pytest

from lamotr_mm.io.frame_meta import frame_number, sequence_name


def test_names_and_numbers():
    meta = dict(
        frame_id=9, img_path=os.path.join('data', 'MOT17', 'MOT17-02', 'img1', '000001.jpg')
    )
    assert sequence_name(meta) == 'MOT17-02'
    assert sequence_name(meta | dict(video_name='other')) == 'other'
    assert sequence_name(meta | dict(video_name='other', sequence='third')) == 'third'
    assert frame_number(meta) == 10
    assert frame_number(meta | dict(mot_frame_id=451)) == 451
    with pytest.raises(ValueError, match=r"img_path='frame\.jpg'.*add 'sequence'"):
        sequence_name(dict(img_path='frame.jpg'))
