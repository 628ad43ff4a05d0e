"""Sequence folders, made by hand and real ones."""

import shutil

import cv2
import numpy as np
import pytest

from lamotr_mm.io.mot_folder import (
    MOTFormatError,
    find_video,
    list_frames,
    read_seqinfo,
    read_sequence,
    seqinfo_text,
)


class TestSequence:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / 'walk'
        (folder / 'img1').mkdir(parents=True)
        for number in (2, 1, 10):
            cv2.imwrite(str(folder / 'img1' / f'{number:03d}.png'), np.zeros((4, 6, 3), np.uint8))
        return folder

    def test_with_seqinfo(self, lamotr_data):
        sequence = read_sequence(lamotr_data / 'mot17_mini' / 'MOT17-02-FRCNN')
        assert (sequence.name, sequence.length, sequence.fps) == ('MOT17-02-FRCNN', 600, 30)
        assert (sequence.width, sequence.height) == (1920, 1080)
        assert list(sequence.frames) == [1, 2, 3, 4]
        assert sequence.gt_file.is_file()

    def test_without_seqinfo(self, folder):
        sequence = read_sequence(folder)
        assert (sequence.name, sequence.length, sequence.fps) == ('walk', 10, 30)
        assert (sequence.width, sequence.height) == (6, 4)
        # by number, not by name
        assert [file.name for file in sequence.frames.values()] == ['001.png', '002.png', '010.png']

    def test_other_image_folder(self, folder):
        (folder / 'img1').rename(folder / 'frames')
        (folder / 'seqinfo.ini').write_text('[sequence]\nimDir=frames\nframeRate=12.5\n')
        assert read_sequence(folder).fps == 12.5

    @pytest.mark.parametrize(
        ('text', 'complaint'),
        [
            ('[Sequence]\nseqLength=many\n', 'seqLength=many must be a positive number'),
            ('[Sequence]\nframeRate=0\n', 'frameRate=0 must be a positive number'),
            ('seqLength=5\n', 'not a [Sequence] file'),
            ('[Other]\n', 'not a [Sequence] file'),
        ],
    )
    def test_broken_seqinfo(self, folder, text, complaint):
        (folder / 'seqinfo.ini').write_text(text)
        with pytest.raises(MOTFormatError) as error:
            read_seqinfo(folder)
        assert complaint in str(error.value)
        assert 'seqinfo.ini' in str(error.value)

    def test_size_other_than_stated(self, folder):
        (folder / 'seqinfo.ini').write_text('[Sequence]\nimWidth=60\nimHeight=4\n')
        with pytest.raises(MOTFormatError, match=r'6x4 px, seqinfo\.ini says 60x4'):
            read_sequence(folder)

    def test_first_frame_unreadable(self, folder):
        (folder / 'img1' / '001.png').write_text('no image')
        with pytest.raises(MOTFormatError, match=r'001\.png: not a readable image'):
            read_sequence(folder)

    @pytest.mark.parametrize('name', ['frame7.png', 'x.png', '1.png', '7a.png'])
    def test_odd_names(self, folder, name):
        (folder / 'img1' / name).touch()
        with pytest.raises(MOTFormatError, match='frame'):
            list_frames(folder / 'img1')

    def test_numbers_behind_a_prefix(self, folder):
        for file in list((folder / 'img1').iterdir()):
            file.rename(file.with_name(f'cam2_{file.name}'))
        (folder / 'img1' / '._cam2_001.png').touch()
        sequence = read_sequence(folder)
        assert [file.name for file in sequence.frames.values()] == [
            f'cam2_{number}.png' for number in ('001', '002', '010')
        ]
        assert list(sequence.frames) == [1, 2, 10] and not sequence.from_zero
        assert len(sequence.notes) == 1 and "'cam2_'" in sequence.notes[0]

    def test_numbers_from_zero(self, folder):
        shutil.copyfile(folder / 'img1' / '001.png', folder / 'img1' / '000.png')
        sequence = read_sequence(folder)
        assert {n: f.name for n, f in sequence.frames.items()} == {
            1: '000.png',
            2: '001.png',
            3: '002.png',
            11: '010.png',
        }
        assert sequence.from_zero and sequence.length == 11

    def test_one_number_twice(self, folder):
        (folder / 'img1' / '02.png').touch()
        with pytest.raises(MOTFormatError, match='are both frame 2'):
            list_frames(folder / 'img1')

    def test_no_frames(self, tmp_path):
        with pytest.raises(MOTFormatError, match='no images'):
            list_frames(tmp_path)
        with pytest.raises(MOTFormatError, match='no such folder'):
            list_frames(tmp_path / 'img1')

    def test_which_video(self, tmp_path):
        (tmp_path / '._a.avi').touch()  # macOS
        assert find_video(tmp_path) is None
        (tmp_path / 'a.avi').touch()
        assert find_video(tmp_path).name == 'a.avi'
        (tmp_path / 'b.MP4').touch()
        with pytest.raises(MOTFormatError, match=r'a\.avi, b\.MP4'):
            find_video(tmp_path)


def test_seqinfo_is_read_as_it_is_written(tmp_path):
    (tmp_path / 'seqinfo.ini').write_text(seqinfo_text('walk', 7.5, 600, 768, 576))
    info = read_seqinfo(tmp_path)
    assert (info['name'], info['imdir'], float(info['framerate'])) == ('walk', 'img1', 7.5)
    assert [int(info[key]) for key in ('seqlength', 'imwidth', 'imheight')] == [600, 768, 576]
