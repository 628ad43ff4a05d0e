"""Tracks in other forms, read back by whoever reads these forms."""

import io
import json
import sys

import numpy as np
import pytest
from mmdet.structures import TrackDataSample

from lamotr_mm.apis.results import VideoTracks
from lamotr_mm.datasets import MOTVideoDataset
from lamotr_mm.io.mot_rows import parse_rows


@pytest.fixture
def video(make_tracks) -> VideoTracks:
    """Frames 3, 4 and 6: two tracks, none, one."""
    boxes = [[1.25, 2, 11.25, 22], [5, 6, 7, 9]]
    frames = [
        make_tracks(3, [9, 2], boxes, [0, 1]),
        make_tracks(4, [], [], []),
        make_tracks(6, [2], [boxes[1]], [1]),
    ]
    return VideoTracks(frames, 'hive', classes=('bee', 'wasp'))


def test_mot(video):
    rows = parse_rows(video.to_mot(), 'hive')
    expected = [
        [3, 2, 5, 6, 2, 3, 0.75, -1, -1, -1],
        [3, 9, 1.25, 2, 10, 20, 0.5, -1, -1, -1],
        [6, 2, 5, 6, 2, 3, 0.5, -1, -1, -1],
    ]
    np.testing.assert_allclose(rows, expected)
    assert video.to_mot() == ''.join(tracks.to_mot() for tracks in video)
    assert VideoTracks().to_mot() == '' and len(video[1:]) == 2 and len(video[0]) == 2


def test_coco_vid_is_read_by_the_data_set(video, tmp_path):
    content = video.to_coco_vid()
    (tmp_path / 'a.json').write_text(json.dumps(content))
    dataset = MOTVideoDataset(
        ann_file=str(tmp_path / 'a.json'), metainfo=dict(classes=('bee', 'wasp')), test_mode=True
    )
    images = dataset.get_data_info(0)['images']
    keys = ('instance_id', 'bbox_label', 'bbox')
    found = {
        image['mot_frame_id']: [tuple(i[key] for key in keys) for i in image['instances']]
        for image in images
    }
    assert found == {
        3: [(9, 0, [1.25, 2, 11.25, 22]), (2, 1, [5, 6, 7, 9])],
        4: [],
        6: [(2, 1, [5, 6, 7, 9])],
    }
    assert content['videos'] == [dict(id=1, name='hive', width=64, height=48)]
    assert [a['score'] for a in content['annotations']] == [0.5, 0.75, 0.5]


def test_data_samples(video):
    sample = video.to_data_sample()
    assert isinstance(sample, TrackDataSample) and len(sample) == 3


def test_pandas(video):
    pandas = pytest.importorskip('pandas', reason='optional: pip install "lamotr_mm[results]"')
    table = video.to_pandas()
    assert list(table) == ['frame', 'id', 'x1', 'y1', 'x2', 'y2', 'score', 'label', 'age']
    assert table[table.id == 2].frame.tolist() == [3, 6]
    back = pandas.read_csv(io.StringIO(table.to_csv(index=False)))
    np.testing.assert_allclose(back, table)
    assert len(VideoTracks().to_pandas()) == 0 and len(video[0].to_pandas()) == 2


def test_supervision_draws_and_names_them(video):
    sv = pytest.importorskip('supervision', reason='optional: pip install "lamotr_mm[results]"')
    detections = video.to_supervision()
    assert [len(d) for d in detections] == [2, 0, 1]
    assert detections[0].tracker_id.tolist() == [9, 2]
    assert detections[0]['class_name'].tolist() == ['bee', 'wasp']
    image = np.zeros((48, 64, 3), np.uint8)
    boxes = sv.BoxAnnotator(sv.Color(255, 255, 255), 1, color_lookup=sv.ColorLookup.TRACK)
    drawn = boxes.annotate(image.copy(), detections[0])
    assert drawn[22, 5].any() and drawn[7, 5].any() and not drawn[30:].any()
    assert not boxes.annotate(image.copy(), detections[1]).any()
    labels = sv.LabelAnnotator(color_lookup=sv.ColorLookup.TRACK)
    assert labels.annotate(image.copy(), detections[0]).any()
    traces = sv.TraceAnnotator()
    for each in detections:
        traces.annotate(image, each)


def test_a_package_that_is_missing_is_named(video, monkeypatch):
    for name in ('supervision', 'pandas'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r'supervision is not installed: pip install'):
        video.to_supervision()
    with pytest.raises(ValueError, match=r'pandas is not installed: pip install'):
        video.to_pandas()
