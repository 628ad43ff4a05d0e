"""Exported graphs against the model that they are of: same ids, boxes and scores."""

import numpy as np
import pytest
import torch

from lamotr_mm.apis.exported import track_exported
from lamotr_mm.apis.inferencer import track_frames
from lamotr_mm.deploy import export as exporter
from lamotr_mm.deploy.export import export
from lamotr_mm.deploy.runtime import ExportedModel
from lamotr_mm.io.frames import open_frames


def assert_same_tracks(model, folder, frames) -> int:
    """Of every frame; the number of ids."""
    ids = set()
    pairs = zip(
        track_frames(model, frames), track_exported(ExportedModel(folder), frames), strict=True
    )
    for (number, _, sample), found in pairs:
        expected = sample.pred_track_instances
        assert found.number == number
        assert found.details.ids.tolist() == expected.instances_id.tolist(), number
        assert found.details.labels.tolist() == expected.labels.tolist()
        assert found.details.ages.tolist() == expected.ages.tolist()
        assert found.details.objects.tolist() == expected.object_index.tolist()
        np.testing.assert_allclose(found.boxes.boxes_xyxy, expected.bboxes.numpy(), atol=0.05)
        np.testing.assert_allclose(found.boxes.scores, expected.scores.numpy(), atol=1e-3)
        ids.update(found.details.ids.tolist())
    return len(ids)


def test_same_ids_over_a_video(exported, walk):
    """More tracks than the slots that a video starts with."""
    assert assert_same_tracks(exported.model, exported.folder, open_frames(walk)) > 4
    assert exported.model.tracklet_slots == 4


def test_association_and_gaps(exported, walk):
    """What else a frame says, and time that passes between two frames."""
    model, runtime = exported.model, ExportedModel(exported.folder)
    images = [image for _, image in open_frames(walk)]
    from lamotr_mm.apis.inferencer import build_pipeline
    from lamotr_mm.apis.results import Tracks
    from lamotr_mm.apis.sessions import TrackerSession

    ours, theirs = TrackerSession(model, build_pipeline(model.cfg)), runtime.new_session()
    for number, image in zip((1, 2, 5, 6, 50), images):
        expected = ours.push(image, number)
        if number in (5, 50):
            theirs.skip({5: 2, 50: 43}[number], runtime.lifecycle.miss_tolerance)
        tracked = runtime.track_frame(
            theirs, runtime.encode(runtime.prepare(image)), image.shape[:2]
        )
        found = Tracks.from_tracked(number, tracked, runtime.shown(tracked))
        assert found.ids.tolist() == expected.ids.tolist(), number
        assert found.ages.tolist() == expected.ages.tolist()
        pair = found.association, expected.association
        for name in ('matches', 'tracklet_ids', 'object_labels'):
            assert np.array_equal(*(getattr(each, name) for each in pair)), name
        for name in ('scores', 'object_scores', 'object_boxes_xyxy', 'tracklet_boxes_xyxy'):
            np.testing.assert_allclose(*(getattr(each, name) for each in pair), atol=0.05)
    assert found.ids.min() > 5, 'after a gap longer than tracks are remembered, all are new'


def test_a_graph_that_differs_is_refused(exported):
    """The check itself, on a graph of a model whose weights have changed since."""
    runtime = ExportedModel(exported.folder)
    images = torch.zeros(1, 3, *runtime.settings.preprocessing.padded)
    module = exporter.EncodeGraph(exported.model, runtime.settings.preprocessing.img_shape)
    graph = exporter.Graph('encode', module, ['images'], ['memory'], (images,), (images,))
    with torch.no_grad():
        exporter._check(graph, runtime)
        scale = exported.model.encoder.encoder.layers[-1].norms[-1].weight
        scale *= 1.25
        try:
            with pytest.raises(ValueError, match=r'memory of encode\.onnx .* at most 0\.0001'):
                exporter._check(graph, runtime)
        finally:
            scale /= 1.25


def test_a_folder_that_is_there_stays(exported, tmp_path):
    (tmp_path / 'file').write_text('kept')
    with pytest.raises(ValueError, match='is there already'):
        export(exported.model, tmp_path, (96, 144))
    assert [file.name for file in tmp_path.iterdir()] == ['file']


def test_a_failure_leaves_nothing(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, '_write', lambda graph, path, settings: path.write_text('x'))
    with pytest.raises(ValueError, match=r'encode\.onnx cannot be read'):
        export(exported.model, tmp_path / 'out', (96, 144))
    assert not list(tmp_path.iterdir())


def test_other_lifecycles_are_refused(exported, tmp_path, monkeypatch):
    class Strict(type(exported.model.lifecycle)):
        pass

    monkeypatch.setattr(exported.model, 'lifecycle', Strict())
    with pytest.raises(ValueError, match=r'lifecycle\.type=Strict cannot be exported'):
        export(exported.model, tmp_path / 'out', (96, 144))


@pytest.mark.soak
@pytest.mark.parametrize('name', ['people', 'pets'])
def test_same_ids_on_real_video(name, lamotr_data, tmp_path):
    """The shipped weights on frames 451-600 of PETS09-S2L1; takes minutes."""
    from lamotr_mm.apis.inferencer import init_model
    from lamotr_mm.apis.model_zoo import find_model

    model = init_model(*find_model(f'lamotr_{name}'))
    export(model, tmp_path / 'out', (576, 768))
    frames = open_frames(lamotr_data / 'pets09_s2l1' / 'video.avi', 451, 600)
    assert assert_same_tracks(model, tmp_path / 'out', frames) >= 5


@pytest.mark.soak
def test_same_ids_on_synthetic_video(tmp_path):
    """The shipped weights on a scene that no training has seen; takes minutes."""
    from lamotr_mm.apis.inferencer import init_model
    from lamotr_mm.apis.model_zoo import find_model
    from lamotr_mm.datasets.synthetic.render import get_scene
    from lamotr_mm.datasets.synthetic.scene import SceneSpec

    model = init_model(*find_model('lamotr_synthetic'))
    export(model, tmp_path / 'out', (256, 320))
    scene = get_scene(SceneSpec(20_001, 1, 40))
    images = [scene.render(index).image for index in range(40)]
    assert assert_same_tracks(model, tmp_path / 'out', open_frames(images)) >= 3
