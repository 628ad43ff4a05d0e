"""Miniatures of videos, and what becomes of their annotations."""

import json

import cv2
import numpy as np
import pytest

from lamotr_mm.datasets import MOTVideoDataset
from lamotr_mm.io.video_writer import VideoWriter
from lamotr_mm.preparation.annotation_checks import check_annotations
from lamotr_mm.preparation.convert import convert

WIDTH, HEIGHT = 80, 60


def picture(number):
    """``(60, 80, 3)`` uint8: as grey as the number says."""
    return np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8)


@pytest.fixture
def make_images():
    """Function that writes images of these names into a folder; the nth has grey 10 n."""

    def make(folder, names):
        folder.mkdir(parents=True)
        for number, name in enumerate(names):
            assert cv2.imwrite(str(folder / name), picture(number))
        return folder

    return make


@pytest.fixture
def make_video():
    """Function that writes a video of so many frames, from black to bright, 10 a second."""

    def make(path, length):
        with VideoWriter(path, fps=10) as video:
            for number in range(length):
                video.write(picture(number))
        return path

    return make


class Converted:
    """A json that `convert` wrote."""

    def __init__(self, root, split):
        self.file = root / 'annotations' / f'{split}.json'
        self.root = root
        self.content = json.loads(self.file.read_text())
        self.classes = [c['name'] for c in self.content['categories'] if c['name'] != 'ignored']
        self.names = {c['id']: c['name'] for c in self.content['categories']}
        self.frames = {image['id']: image['mot_frame_id'] for image in self.content['images']}

    def rows(self, ignored=False):
        """(frame, class, x, y, w, h) of targets, or of what is ignored, in order."""
        return sorted(
            (self.frames[a['image_id']], self.names[a['category_id']], *a['bbox'])
            for a in self.content['annotations']
            if a['iscrowd'] == ignored
        )

    def tracks(self):
        """Frames of each target by its original id."""
        found = {}
        for a in self.content['annotations']:
            if not a['iscrowd']:
                found.setdefault(a['mot_instance_id'], []).append(self.frames[a['image_id']])
        return found

    def greys(self):
        """What is shown by frame number: the n of `picture`."""
        return {
            image['mot_frame_id']: round(
                cv2.imread(str(self.root / image['file_name'])).mean() / 10
            )
            for image in self.content['images']
        }


@pytest.fixture
def converted(tmp_path):
    """Function that converts a source and has the json read as training reads it."""

    def run(form, src, split='train', **options):
        notes = []
        convert(form, [src], tmp_path / 'out', split, on_note=notes.append, **options)
        result = Converted(tmp_path / 'out', split)
        report, _ = check_annotations(str(result.file), result.classes, training=False)
        assert report.problems == []
        dataset = MOTVideoDataset(
            ann_file=str(result.file),
            data_root=str(tmp_path / 'out'),
            metainfo=dict(classes=result.classes),
        )
        assert len(dataset) == len(result.content['videos'])
        result.notes = notes
        return result

    return run
