"""LA-MOTR as the detector of a peer: the same detections, kept and found again."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import Config

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.peers import DetectionsOf, detections

ROOT = Path(__file__).parents[2]
TINY = ROOT / 'tests' / 'robustness' / 'configs' / 'tiny.py'
sys.path.insert(0, str(TINY.parents[1]))  # workshop
SIZE = (64, 96)


@pytest.fixture(scope='module')
def config():
    config = Config.fromfile(TINY, import_custom_modules=False)
    config.custom_imports = dict(imports=['lamotr_mm', 'lamotr_mm.engine.hooks'])
    # of an untrained model: whatever it sees is a track
    config.model.lifecycle.update(det_thr=0.0, keep_thr=0.0, new_thr=0.0, gate=0.0)
    config.model.update(out_score_thr=0.0, out_min_area=0.0)
    return config


@pytest.fixture(scope='module')
def weights(config, tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'weights.pth'
    torch.manual_seed(0)
    torch.save(dict(state_dict=init_model(config).state_dict()), path)
    return str(path)


@pytest.fixture
def images():
    return torch.randn(3, 1, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def sample(number, length=3, video=0):
    meta = dict(img_shape=SIZE, ori_shape=(128, 192), frame_id=number, video_id=video)
    return DetDataSample(metainfo=dict(meta, ori_video_length=length, video_name='a/b'))


def run(detector, images, **kwargs):
    frames = []
    for number, image in enumerate(images):
        frames += detector.predict(image, [sample(number, **kwargs)])
    return frames


def arrays(frames):
    return [
        {key: value.numpy() for key, value in frame.get(name).items()}
        for frame in frames
        for name in ('pred_instances', 'pred_track_instances')
    ]


def test_detections_are_those_of_tracking(config, weights, images):
    """In the second frame and later, object queries depend on the tracklets before."""
    clip = TrackDataSample(video_data_samples=[sample(t) for t in range(3)])
    (tracked,) = init_model(config, weights).predict(images.transpose(0, 1), [clip])
    found = run(DetectionsOf(config.model, weights, min_side=0.0), images)
    np.testing.assert_equal(arrays(found), arrays(tracked))
    assert len(found[0].pred_instances) == 12 and len(found[2].pred_track_instances) > 0


def test_reported_boxes_in_the_place_of_detections(config, weights, images):
    found = run(DetectionsOf(config.model, weights, boxes='tracks', min_side=0.0), images)
    tracked = run(DetectionsOf(config.model, weights), images)
    for frame, expected in zip(found, tracked):
        tracks = expected.pred_track_instances
        assert frame.pred_instances.bboxes.tolist() == tracks.bboxes.tolist()
        assert 'instances_id' not in frame.pred_instances
    with pytest.raises(ValueError, match="boxes='all' should be 'objects' or 'tracks'"):
        DetectionsOf(config.model, weights, boxes='all')


def test_two_videos_do_not_share_tracks(config, weights, images):
    detector = DetectionsOf(config.model, weights)
    first = run(detector, images)
    np.testing.assert_equal(arrays(run(detector, images, video=1)), arrays(first))


def test_a_kept_video_needs_no_model(config, weights, images, tmp_path, monkeypatch):
    fresh = run(DetectionsOf(config.model, weights, str(tmp_path)), images)
    assert [file.suffix for file in tmp_path.rglob('*.*')] == ['.pt']
    monkeypatch.setattr(detections, 'init_model', None)
    again = run(DetectionsOf(config.model, weights, str(tmp_path)), images)
    np.testing.assert_equal(arrays(again), arrays(fresh))
    assert again[0].pred_instances.bboxes.dtype == fresh[0].pred_instances.bboxes.dtype


def test_what_is_kept_is_of_this_model_and_these_images(config, weights, images, tmp_path):
    def folder(model, checkpoint):
        return DetectionsOf(model, str(checkpoint), str(tmp_path)).key

    other = config.model.copy()
    other.lifecycle = dict(other.lifecycle, gate=0.5)
    state = torch.load(weights)
    next(iter(state['state_dict'].values())).add_(1)
    torch.save(state, tmp_path / 'other.pth')
    keys = [folder(config.model, weights), folder(other, weights)]
    keys.append(folder(config.model, tmp_path / 'other.pth'))
    assert len(set(keys)) == 3
    copied = tmp_path / 'copy.pth'
    copied.write_bytes(Path(weights).read_bytes())
    assert folder(config.model, copied) == keys[0]

    run(DetectionsOf(config.model, weights, str(tmp_path)), images)
    # the same start and length, another second frame
    images[1] += 1
    with pytest.raises(
        ValueError, match=r'a_b_3_\w+\.pt holds detections of other frames .*frame 2'
    ):
        run(DetectionsOf(config.model, weights, str(tmp_path)), images)
    # another start is another video
    images[0] += 1
    run(DetectionsOf(config.model, weights, str(tmp_path)), images)
    assert len(list(tmp_path.rglob('*.pt'))) == 2


def test_half_a_video_is_not_kept(config, weights, images, tmp_path):
    run(DetectionsOf(config.model, weights, str(tmp_path)), images[:2])
    assert list(tmp_path.rglob('*.pt')) == []


def test_a_damaged_file_is_named(config, weights, images, tmp_path):
    run(DetectionsOf(config.model, weights, str(tmp_path)), images)
    (file,) = tmp_path.rglob('*.pt')
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=rf'{file.name} cannot be read .*: remove it'):
        run(DetectionsOf(config.model, weights, str(tmp_path)), images)


def test_a_missing_checkpoint_is_named(config, images, tmp_path):
    for cache in (None, str(tmp_path)):
        with pytest.raises(ValueError, match=r'checkpoint gone\.pth does not exist'):
            run(DetectionsOf(config.model, 'gone.pth', cache), images)


def test_the_test_tool_runs_a_peer(config, weights, tmp_path, monkeypatch):
    """The checkpoint is the detector's; tracks are those of the tracker on LA-MOTR's detections."""
    from workshop import Workshop

    workshop = Workshop(tmp_path)
    workshop.sequence('a', length=2)
    workshop.sequence('c', length=4, split='val')
    assert workshop.convert() == 0
    config = config.copy()
    thresholds = dict(obj_score_thrs=dict(high=0.0, low=0.0), init_track_thr=0.0)
    config.model = dict(
        type='ByteTrack',
        data_preprocessor=config.model.data_preprocessor,
        detector=dict(
            type='lamotr_mm.DetectionsOf',
            model=config.model,
            checkpoint='of the command line',
            cache_dir=str(tmp_path / 'detections'),
        ),
        tracker=dict(type='ByteTracker', motion=dict(type='KalmanFilter'), **thresholds),
    )
    config.test_dataloader.dataset.data_root = str(workshop.videos)
    config.update(train_dataloader=None, train_cfg=None, optim_wrapper=None, param_scheduler=None)
    config.update(val_dataloader=None, val_cfg=None, val_evaluator=None, custom_hooks=[])
    config.dump(tmp_path / 'peer.py')

    spec = importlib.util.spec_from_file_location('test_tool', ROOT / 'tools' / 'test.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    work = ['--work-dir', str(tmp_path / 'work'), '--out', str(tmp_path / 'out')]
    tool.main([str(tmp_path / 'peer.py'), weights, *work])

    (file,) = (tmp_path / 'detections').rglob('*.pt')
    kept = torch.load(file)['frames']
    assert len(kept) == 4
    rows = np.loadtxt(tmp_path / 'out' / 'c.txt', delimiter=',')
    first = kept[0]['pred_instances']['bboxes']
    sides = first[:, 2:] - first[:, :2]
    expected = torch.cat([first[:, :2], sides], 1)[(sides >= 1).all(1)]
    found = rows[rows[:, 0] == 1]
    np.testing.assert_allclose(np.sort(found[:, 2:6], 0), np.sort(expected.numpy(), 0), atol=1e-3)
