"""From ``iscrowd`` in a json to what the losses leave out, through the pipeline and the model."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from lamotr_mm.datasets import MOTVideoDataset

WIDTH, HEIGHT, FRAMES = 96, 64, 3
TARGET = [40, 20, 16, 24]  # x, y, w, h in px
CROWDS = dict(whole=[0, 0, WIDTH, HEIGHT], left=[0, 0, 48, HEIGHT], none=None)


def dataset(folder, crowd, flip):
    """A video with a target, which is gone in the last frame, and perhaps a crowd."""
    images, annotations = [], []
    for frame in range(FRAMES):
        name = f'{frame + 1:06d}.png'
        cv2.imwrite(str(folder / name), np.full((HEIGHT, WIDTH, 3), 40 * frame, np.uint8))
        images.append(
            dict(id=frame + 1, video_id=1, frame_id=frame, mot_frame_id=frame + 1, file_name=name)
            | dict(width=WIDTH, height=HEIGHT)
        )
        boxes = [(TARGET, 0, 1)] if frame < FRAMES - 1 else []
        boxes += [(crowd, 1, 2)] if crowd else []
        for box, iscrowd, number in boxes:
            annotation = dict(id=len(annotations) + 1, image_id=frame + 1, category_id=1, bbox=box)
            annotations.append(annotation | dict(instance_id=number, iscrowd=iscrowd, area=1))
    content = dict(
        videos=[dict(id=1, name='a')],
        images=images,
        annotations=annotations,
        categories=[dict(id=1, name='pedestrian')],
    )
    (folder / 'train.json').write_text(json.dumps(content))
    transforms = [
        dict(type='lamotr_mm.LoadFrame'),
        dict(type='LoadTrackAnnotations'),
        dict(type='RandomFlip', prob=float(flip)),
        # to twice the size: shares of the image stay
        dict(type='Resize', scale=(2 * WIDTH, 2 * HEIGHT), keep_ratio=True),
    ]
    return MOTVideoDataset(
        data_root=str(folder),
        ann_file='train.json',
        data_prefix=dict(img_path=''),
        pipeline=[
            dict(type='lamotr_mm.ClipSampler', clip_len=FRAMES, max_interval=1),
            dict(type='TransformBroadcaster', share_random_params=True, transforms=transforms),
            dict(type='PackTrackInputs'),
        ],
    )


def train_step(folder, model, crowd, flip=False):
    """Losses of the clip, and what the criterion was given in each frame."""
    init_default_scope('mmdet')
    seen, frame = [], model.criterion.frame

    def spy(output, valid, targets):
        output.logits.retain_grad()
        output.asso_logits.retain_grad()
        seen.append((output, valid, targets, frame(output, valid, targets)))
        return seen[-1][-1]

    model.criterion.frame = spy
    batch = pseudo_collate([dataset(folder, crowd, flip)[(0, 0)]])
    losses = model.loss(**model.data_preprocessor(batch, training=True))
    model.criterion.frame = frame
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    return losses, seen


@pytest.fixture
def model(build_tiny):
    every = {'clip_tracklets.score_thr': 0.0, 'clip_tracklets.iou_thr': -1.0}
    return build_tiny(every | {'sotd_head.num_classes': 1}).train()


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('where', ['left', 'whole', 'none'])
def test_which_queries_learn_to_be_background(tmp_path, model, where, flip):
    """A query in the crowd gets no gradient from its class, unless it has a target."""
    losses, seen = train_step(tmp_path, model, CROWDS[where], flip)
    edges = dict(left=(0.5, 1.0) if flip else (0.0, 0.5), whole=(0.0, 1.0), none=(0.0, 0.0))[where]
    left_out = 0
    for t, (output, valid, targets, result) in enumerate(seen):
        assert targets.present[0, 0] == (t < FRAMES - 1)
        cx, cy, w, h = output.boxes_cxcywh[-1, 0].detach().unbind(-1)
        inside_x = (cx + w / 2).clamp(max=edges[1]) - (cx - w / 2).clamp(min=edges[0])
        inside_y = (cy + h / 2).clamp(max=1) - (cy - h / 2).clamp(min=0)
        unknown = inside_x.clamp(min=0) * inside_y.clamp(min=0) / (w * h) > 0.5
        split = output.num_objects
        has_target = torch.zeros_like(unknown)
        has_target[result.matched_object[0][result.matched_object[0] >= 0]] = True
        has_target[split:] = targets.present[0] & valid[0]
        learns = ~unknown | has_target
        learns[split:] &= valid[0]
        assert torch.equal(output.logits.grad[-1, 0, :, 0] != 0, learns), t
        left_out += int((unknown & ~has_target)[:split].sum())
        pair = torch.outer(unknown[:split] & ~has_target[:split], unknown[split:])
        pair &= ~has_target[split:]
        expected = valid & ~pair
        assert torch.equal(output.asso_logits.grad[0] != 0, expected), t
    assert (left_out == 0) == (where == 'none')
    # after two frames the target is gone, and its tracklet may be in the crowd
    assert seen[-1][1].any()
    assert float(losses['loss_det_cls']) > 0


def test_nothing_else_changes(tmp_path, model):
    """The same clip with and without a crowd over everything: boxes, counts and divisors."""
    with_crowd, seen = train_step(tmp_path, model, CROWDS['whole'])
    without, _ = train_step(tmp_path, model, None)
    for name in without:
        if name.endswith(('_reg', '_box')):
            assert with_crowd[name] == without[name], name
        if name.endswith('_cls'):
            assert with_crowd[name] < without[name], name
    # the last frame has no target: its tracklet and every pair are left out
    output, _, _, result = seen[-1]
    assert result.sums['loss_tck_cls'] == result.sums['loss_asso'] == 0
    assert result.num_pairs == output.num_objects
