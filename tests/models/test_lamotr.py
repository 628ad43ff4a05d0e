"""LAMOTR as a whole: what a batch, a clip, a video and a state mean, and which gradients flow."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from lamotr_mm.tracking.state import TrackletState

BOXES = {1: [8, 8, 40, 40], 2: [50, 10, 90, 50], 3: [20, 30, 60, 60], 4: [5, 30, 25, 62]}
# every matched object starts a tracklet, however bad it still is
CARRY_ALL = {'clip_tracklets.score_thr': 0.0, 'clip_tracklets.iou_thr': -1.0}
SHOW_ALL = {'out_min_area': 0.0, 'out_score_thr': 0.0}
UPDATES = {
    'weighted_sum': {},
    **{
        name: {
            'tracklet_update.type': f'lamotr_mm.{kind}',
            'tracklet_update.embed_dims': 32,
            'tracklet_update.num_heads': 4,
        }
        for name, kind in (('tan', 'TemporalAggregation'), ('tim', 'TemporalInteraction'))
    },
}
with_each_update = pytest.mark.parametrize('update', UPDATES.values(), ids=UPDATES)
FIELDS = ('bboxes', 'scores', 'labels', 'instances_id')


def clip_of(make_clip, *frames, **kwargs):
    """``clip_of(make_clip, (1, 2), (2,))``: which ids are annotated in which frame."""
    boxes = [
        {i: [value + 2 * t for value in BOXES[i]] for i in ids} for t, ids in enumerate(frames)
    ]
    return make_clip(boxes, **kwargs)


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


# ---------------------------------------------------------------- training


def test_a_batch_of_clips_is_the_weighted_mean_of_its_clips(build_tiny, make_clip, images):
    """Detection and tracklet losses weighted by targets, association by pairs in frame 2."""
    model = build_tiny(CARRY_ALL).train()
    clips = [
        clip_of(make_clip, (1, 2, 3), (1, 2, 4)),
        clip_of(make_clip, (2,), (2, 3), img_shape=(50, 70)),
    ]
    inputs = images(2, 2)
    inputs[1, :, :, 50:], inputs[1, :, :, :, 70:] = 0, 0
    batch = model.loss(inputs, clips)
    singles = [model.loss(inputs[i : i + 1], clips[i : i + 1]) for i in range(2)]
    targets, tracklets = (6, 3), (3, 1)
    for name, value in batch.items():
        one, two = (float(single[name]) for single in singles)
        shares = tracklets if name == 'loss_asso' else targets
        expected = (shares[0] * one + shares[1] * two) / sum(shares)
        if 'loss' not in name:
            expected = one + two
        assert float(value) == pytest.approx(expected, rel=1e-4, abs=1e-6), name
    assert batch['tck_total'] == 3  # ids 1, 2 and 2; id 3 is absent in frame 2
    assert batch['loss_asso'] > 0


@pytest.mark.parametrize(
    'frames',
    [
        [(1, 2), (2, 3), (1, 3)],
        [(1, 2)],
        [(), (), ()],
        [(), (1,)],
        [(1,), ()],
    ],
)
@with_each_update
def test_every_parameter_gets_a_gradient(build_tiny, make_clip, images, frames, update):
    """With targets, with one frame, without targets or tracklets: DDP finds no unused parameter."""
    model = build_tiny({**CARRY_ALL, **update, 'backbone.frozen_stages': 1}).train()
    losses = model.loss(images(1, len(frames)), [clip_of(make_clip, *frames)])
    total(losses).backward()
    assert torch.isfinite(total(losses))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_the_last_frame_teaches_the_first_image(build_tiny, make_clip, images):
    """Gradients flow through the tracklet queries over frames, and through them alone."""

    def gradient(overrides, ids=(1, 2)):
        model = build_tiny(overrides).train()
        clip_losses = model.criterion.clip
        model.criterion.clip = lambda frames: clip_losses(frames[2:])
        inputs = images(1, 3).requires_grad_()
        total(model.loss(inputs, [clip_of(make_clip, ids, ids, ids)])).backward()
        return inputs.grad[0].abs().sum((1, 2, 3))

    assert (gradient(CARRY_ALL) > 0).all()
    # nothing is carried on: every frame stands alone
    alone = gradient({'clip_tracklets.score_thr': 1.1})
    assert alone[2] > 0
    assert (alone[:2] == 0).all()


def test_an_absent_target_keeps_its_tracklet(build_tiny, make_clip, images):
    """Present, absent, present: the tracklet of frame 1 meets its target again in frame 3."""
    model = build_tiny(CARRY_ALL).train()
    states = []
    decode = model.decode_frame
    model.decode_frame = lambda features, state: (states.append(state), decode(features, state))[1]
    losses = model.loss(images(1, 3), [clip_of(make_clip, (1, 2), (2,), (1, 2))])
    assert [state.valid.tolist() for state in states] == [[[False] * 2], [[True] * 2], [[True] * 2]]
    torch.testing.assert_close(states[2].query[:, 0], states[1].query[:, 0])
    torch.testing.assert_close(states[2].anchor_cxcywh[:, 0], states[1].anchor_cxcywh[:, 0])
    assert not torch.equal(states[2].query[:, 1], states[1].query[:, 1])
    assert losses['tck_total'] == losses['tck_carried'] == 3


def test_frames_of_a_batch_are_encoded_in_one_call(build_tiny, make_clip, images):
    model = build_tiny().train()
    calls = []
    model.backbone.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    model.loss(images(2, 3), [clip_of(make_clip, (1,), (1,), (1,))] * 2)
    assert calls == [6]


def test_checkpointing_changes_nothing(build_tiny, make_clip, images):
    results = []
    for with_cp in (False, True):
        model = build_tiny(
            {**CARRY_ALL, 'encoder.with_cp': with_cp, 'sotd_head.with_cp': with_cp}
        ).train()
        loss = total(model.loss(images(1, 3), [clip_of(make_clip, (1, 2), (2, 3), (1, 3))]))
        loss.backward()
        results.append((loss, {name: p.grad for name, p in model.named_parameters()}))
    assert results[0][0] == results[1][0]
    for name, gradient in results[0][1].items():
        torch.testing.assert_close(results[1][1][name], gradient, rtol=1e-5, atol=1e-7, msg=name)


def test_inserted_false_positives_are_tracklets_without_a_target(build_tiny, make_clip, images):
    overrides = {
        **CARRY_ALL,
        'clip_tracklets.false_positive_prob': 1.0,
        'clip_tracklets.spare_slots': 2,
    }
    model = build_tiny(overrides).train()
    calls = []
    frame_losses = model.criterion.frame
    model.criterion.frame = lambda *args: (calls.append(args), frame_losses(*args))[1]
    losses = model.loss(images(1, 2), [clip_of(make_clip, (1,), (1,))])
    valid, present = (
        [args[1].tolist() for args in calls],
        [args[2].present.tolist() for args in calls],
    )
    assert valid == [[[False, False, False]], [[True, True, True]]]
    assert present == [[[True, False, False]]] * 2
    assert losses['tck_total'] == 1  # they are not carried on, nor counted


def test_broken_weights_are_named(build_tiny, make_clip, images):
    model = build_tiny().train()
    with torch.no_grad():
        model.sotd_head.cls_branches[-1].weight.fill_(float('nan'))
    with pytest.raises(FloatingPointError, match='not finite'):
        model.loss(images(1, 1), [clip_of(make_clip, (1,))])
    with pytest.raises(FloatingPointError, match='not finite'):
        model.eval().predict(images(1, 1), [clip_of(make_clip, ())])


# ---------------------------------------------------------------- tracking


@torch.no_grad()
def calibrate(model, inputs):
    """Spread scores and S of the untrained model around 0.5: tracks are born, matched and lost."""

    def centre(linear, logits, share):
        values = logits.flatten()
        scale = 2 / values.std()
        linear.weight.mul_(scale)
        linear.bias.copy_((linear.bias - values.quantile(share)) * scale)

    features = model.encode(inputs[0], [inputs.shape[-2:]] * inputs.shape[1])
    state = model.tracklet_update.no_tracklets(len(inputs[0]), 1, features.memory)
    found = model.decode_frame(features, state)
    objects = slice(found.num_objects)
    centre(model.sotd_head.cls_branches[-1], found.logits[-1][:, objects].max(-1).values, 0.5)
    state = state.grow(found.num_objects)._replace(
        query=found.embeds[:, objects],
        anchor_cxcywh=found.boxes_cxcywh[-1][:, objects],
        source=torch.arange(found.num_objects)[None],
        valid=torch.ones(found.embeds[:, objects].shape[:2], dtype=torch.bool),
    )
    centre(model.sgla.score, model.decode_frame(features, state).asso_logits, 0.9)


@pytest.fixture
def tracker(build_tiny, images):
    """``tracker(overrides)``: a model whose scores and S lie around 0.5."""

    def build(overrides=None):
        model = build_tiny({**SHOW_ALL, **(overrides or {})}).double().eval()
        calibrate(model, images(1, 8).double())
        return model

    return build


def video_of(make_clip, count, **kwargs):
    kwargs.setdefault('ori_shape', (480, 720))
    return make_clip([{}] * count, **kwargs)


def track(model, inputs, clip):
    return list(model.predict(inputs.double(), [clip])[0])


def assert_same_tracks(ours, reference, atol=1e-3):
    """Equal ids and labels; boxes (px) and scores within rounding."""
    assert len(ours) == len(reference)
    for one, two in zip(ours, reference):
        for name in FIELDS:
            tolerance = atol if name in ('bboxes', 'scores') else 0
            torch.testing.assert_close(
                one.pred_track_instances[name],
                two.pred_track_instances[name],
                rtol=0,
                atol=tolerance,
            )
        for name, value in one.metainfo['association'].items():
            np.testing.assert_allclose(value, two.metainfo['association'][name], atol=atol)


def test_the_scenario_is_rich_enough(tracker, make_clip, images):
    """The tests below would hold for a tracker without tracks: here are births and losses."""
    frames = track(tracker(), images(1, 8), video_of(make_clip, 8))
    reports = [frame.metainfo['association'] for frame in frames]
    assert sum(len(report['matches']) for report in reports) > 5
    assert len(frames[0].pred_track_instances) > 1
    ids = [set(frame.pred_track_instances.instances_id.tolist()) for frame in frames]
    assert max(map(max, ids)) > len(ids[0])  # births after the first frame
    assert any(before - after for before, after in pairwise(ids))  # losses


def test_frame_by_frame_equals_a_clip(tracker, make_clip, images):
    """One call for 8 frames (encoded 3 at a time) = 8 calls of one frame."""
    inputs = images(1, 8)
    model = tracker({'encode_ahead': 3})
    calls = []
    model.backbone.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    together = track(model, inputs, video_of(make_clip, 8))
    assert calls == [3, 3, 2]
    model.reset()
    single = [
        track(model, inputs[:, t : t + 1], video_of(make_clip, 1, first_frame=t))[0]
        for t in range(8)
    ]
    assert_same_tracks(single, together)


@pytest.mark.parametrize(
    'second', [dict(video_id=1), dict(video_id=0), dict(video_id=1, first_frame=7)]
)
def test_a_new_video_starts_afresh(tracker, make_clip, images, second):
    """By frame 0 or by another video id, whichever comes."""
    model = tracker()
    track(model, images(1, 4), video_of(make_clip, 4))
    after = track(model, images(1, 4, seed=1), video_of(make_clip, 4, **second))
    fresh = track(tracker(), images(1, 4, seed=1), video_of(make_clip, 4, **second))
    assert_same_tracks(after, fresh)
    assert after[0].pred_track_instances.instances_id.min() == 1


@with_each_update
def test_the_number_of_slots_changes_nothing(tracker, make_clip, images, update):
    """A video that starts with one slot grows to what it needs; 64 slots are mostly padding."""
    few, many = tracker({**update, 'tracklet_slots': 1}), tracker({**update, 'tracklet_slots': 64})
    inputs = images(1, 6)
    ours = track(few, inputs, video_of(make_clip, 6))
    assert_same_tracks(ours, track(many, inputs, video_of(make_clip, 6)))
    slots = few._session.table.slots
    assert 1 < slots < 64
    assert slots & (slots - 1) == 0  # doubled
    # the next video starts small again
    track(few, inputs[:, :1] * 0, video_of(make_clip, 1))
    assert len(few._session.tracklets.valid[0]) == few._session.table.slots < slots
    with pytest.raises(ValueError, match='tracklet_slots=0 must be at least 1'):
        tracker({'tracklet_slots': 0})


@with_each_update
def test_two_videos_at_once_on_one_model(tracker, images, update):
    """Frames in turn, encoded as one batch: each session equals the video alone."""
    model = tracker(update)
    videos = [images(1, 4, seed=seed)[0].double() for seed in (0, 1)]

    def alone(video):
        session = model.new_session()
        return [
            model.track_frame(session, model.encode(frame[None], [(64, 96)]), (64, 96))
            for frame in video
        ]

    with torch.no_grad():
        expected = [alone(video) for video in videos]
        sessions = [model.new_session(), model.new_session()]
        for t, pair in enumerate(zip(*videos)):
            features = model.encode(torch.stack(pair), [(64, 96)] * 2)
            for index, session in enumerate(sessions):
                ours = model.track_frame(session, features.by_frame(2)[index], (64, 96)).tracks
                reference = expected[index][t].tracks
                assert ours.ids.tolist() == reference.ids.tolist()
                np.testing.assert_allclose(ours.boxes_xyxy, reference.boxes_xyxy, atol=1e-4)
    ids = [[set(frame.tracks.ids.tolist()) for frame in frames] for frames in expected]
    assert all(any(a & b for a, b in pairwise(frames)) for frames in ids), 'tracks live on'
    first, second = (frames[0].tracks.boxes_xyxy.tolist() for frames in expected)
    assert first != second, 'the videos differ'


def test_boxes_are_in_pixels_of_the_original_image(tracker, make_clip, images):
    small = track(tracker(), images(1, 3), video_of(make_clip, 3, ori_shape=(64, 96)))
    large = track(tracker(), images(1, 3), video_of(make_clip, 3, ori_shape=(128, 288)))
    scale = torch.tensor([3.0, 2.0, 3.0, 2.0])
    for one, two in zip(small, large):
        ours, reference = one.pred_track_instances, two.pred_track_instances
        torch.testing.assert_close(ours.bboxes * scale, reference.bboxes)
        association = one.metainfo['association'], two.metainfo['association']
        for name in ('object_bboxes', 'tracklet_bboxes'):
            np.testing.assert_allclose(
                association[0][name] * scale.numpy(), association[1][name], rtol=1e-5
            )


def test_padded_images_give_the_boxes_of_their_image_part(build_tiny, images):
    """The frame (64, 96) inside a batch of (96, 128): anchors are shares of the image itself."""
    model = build_tiny().eval()
    features = model.encode(images(1, 1, size=(96, 128))[0], [(64, 96)])
    seen = []
    layer = model.sotd_head.decoder.layers[0]
    layer.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs['reference_points']), with_kwargs=True
    )
    model.decode_frame(features, TrackletState.empty(1, 1, features.memory))
    anchors = model.sotd_head.anchor_embedding.weight.sigmoid()
    share = torch.tensor([96 / 128, 64 / 96, 96 / 128, 64 / 96])
    torch.testing.assert_close(seen[0][0, : len(anchors), 0], anchors * share)


def test_prediction_contract(tracker, make_clip, images):
    """What users, metrics and hooks read."""
    frames = track(tracker(), images(1, 5), video_of(make_clip, 5))
    assert frames[0].metainfo['association']['scores'].shape[1] == 0  # nobody lives before
    before, newest = np.zeros(0, dtype=np.int64), 0
    for frame in frames:
        tracks = frame.pred_track_instances
        assert isinstance(tracks, InstanceData)
        assert tracks.bboxes.shape == (len(tracks), 4)
        assert (tracks.bboxes.dtype, tracks.scores.dtype) == (torch.float32, torch.float32)
        assert (tracks.labels.dtype, tracks.instances_id.dtype) == (torch.int64, torch.int64)
        assert len(set(tracks.instances_id.tolist())) == len(tracks)

        report = frame.metainfo['association']
        objects, tracklets = len(report['object_scores']), len(report['tracklet_ids'])
        assert report['scores'].shape == (objects, tracklets)
        assert report['scores'].dtype == np.float32
        assert ((report['scores'] >= 0) & (report['scores'] <= 1)).all()
        assert report['object_bboxes'].shape == (objects, 4)
        assert report['object_labels'].shape == (objects,)
        assert (report['object_scores'] >= 0.5).all()
        assert report['tracklet_bboxes'].shape == (tracklets, 4)
        assert report['tracklet_ids'].dtype == np.int64
        # all that lived before may match, newborns not yet
        assert set(before) <= set(report['tracklet_ids'].tolist())
        assert report['tracklet_ids'].max(initial=0) <= newest
        rows, columns = report['matches'].T
        assert report['matches'].dtype == np.int64
        assert (report['scores'][rows, columns] >= 0.5).all()
        assert set(report['tracklet_ids'][columns]) <= set(tracks.instances_id.tolist())
        assert report['overlapping_live_pairs'] == 0
        before = tracks.instances_id.numpy()
        newest = max(newest, *before)


def test_weak_and_small_tracks_are_not_shown(tracker, make_clip, images):
    inputs = images(1, 2)
    every = track(tracker({'out_score_thr': 0.0}), inputs, video_of(make_clip, 2))
    boxes = every[0].pred_track_instances.bboxes
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    limit = float(area.sort().values[-2])
    shown = track(tracker({'out_min_area': limit}), inputs, video_of(make_clip, 2))
    assert len(shown[0].pred_track_instances) == 1
    score = float(every[0].pred_track_instances.scores.sort().values[-2])
    shown = track(tracker({'out_score_thr': score}), inputs, video_of(make_clip, 2))
    assert len(shown[0].pred_track_instances) == 1


def test_videos_come_one_at_a_time(tracker, make_clip, images):
    with pytest.raises(ValueError, match=r'batch_size=1.*got 2'):
        tracker().predict(images(2, 1), [video_of(make_clip, 1)] * 2)


# ---------------------------------------------------------------- as an mmengine model


def test_checkpoints_hold_weights_only(tracker, make_clip, images):
    """Tracking leaves no trace in the state dict, and loading it gives the same tracks."""
    model = tracker()
    names = list(model.state_dict())
    parts = {name.split('.')[0] for name in names}
    assert parts == {'backbone', 'neck', 'encoder', 'sotd_head', 'sgla'}
    expected = track(model, images(1, 3), video_of(make_clip, 3))
    assert list(model.state_dict()) == names
    other = tracker({'lifecycle.miss_tolerance': 30})
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    other.load_state_dict(model.state_dict())
    assert_same_tracks(track(other, images(1, 3), video_of(make_clip, 3)), expected, atol=1e-9)


def test_train_and_test_step_with_the_preprocessor(build_tiny, make_clip):
    """uint8 frames of two sizes go through mmdet's TrackDataPreprocessor."""
    model = build_tiny({**CARRY_ALL, 'data_preprocessor.pad_size_divisor': 32})
    generator = torch.Generator().manual_seed(0)

    def raw(frames, height, width):
        shape = (frames, 3, height, width)
        return torch.randint(256, shape, generator=generator, dtype=torch.uint8)

    clips = [
        clip_of(make_clip, (1, 2), (1,), img_shape=(60, 90)),
        clip_of(make_clip, (2,), (2,), img_shape=(64, 70)),
    ]
    data = model.data_preprocessor(
        dict(inputs=[raw(2, 60, 90), raw(2, 64, 70)], data_samples=clips), training=True
    )
    assert data['inputs'].shape == (2, 2, 3, 64, 96)
    losses = model.train()(**data, mode='loss')
    loss, logged = model.parse_losses(losses)
    loss.backward()
    torch.testing.assert_close(loss, total(losses))
    assert {'asso_tp', 'asso_fp', 'asso_fn', 'tck_carried', 'tck_total'} <= set(logged)

    video = video_of(make_clip, 1, img_shape=(60, 90))
    result = model.eval().test_step(dict(inputs=[raw(1, 60, 90)], data_samples=[video]))
    assert 'pred_track_instances' in result[0][0]
