"""What happens in synthetic scenes: motion, figures that hide, and clips of them for training."""

from itertools import pairwise

import numpy as np
import pytest
from mmengine.runner import Runner

from lamotr_mm.datasets import SyntheticVideoDataset
from lamotr_mm.datasets.synthetic.figure import draw_figure, dress
from lamotr_mm.datasets.synthetic.render import MIN_VISIBILITY, SyntheticScene, box_of
from lamotr_mm.datasets.synthetic.scene import LEVELS, SceneSpec, film, walk

SIZE = dict(height=128, width=160)


def test_a_longer_video_begins_alike():
    short = SyntheticScene(SceneSpec(3, 3, 6, **SIZE)).render(5)
    long = SyntheticScene(SceneSpec(3, 3, 60, **SIZE)).render(5)
    assert np.array_equal(short.image, long.image)
    assert np.array_equal(short.boxes_xyxy, long.boxes_xyxy)


@pytest.mark.parametrize('difficulty', range(4))
def test_figures_move_as_fast_as_the_level_says(difficulty):
    ratios = []
    for seed in range(20):
        walks = walk(SceneSpec(seed, difficulty, 60))
        steps = np.linalg.norm(np.diff(walks.feet, axis=0), axis=-1)
        ratios.append((steps / (0.46 * walks.heights[1:])).mean())
    # chords are shorter than the arcs walked, and the pace is uneven
    assert np.mean(ratios) == pytest.approx(LEVELS[difficulty].speed, rel=0.2)


def test_motion_is_not_linear():
    walks = walk(SceneSpec(0, 2, 60))
    velocity = np.diff(walks.feet, axis=0)
    turns = (np.sign(velocity[1:, :, 0]) != np.sign(velocity[:-1, :, 0])).sum(0)
    assert (turns >= 1).all()


def test_camera_rests_at_0_and_moves_at_3():
    still, moving = (film(SceneSpec(4, level, 40)) for level in (0, 3))
    assert np.ptp(still.zooms) == 0 and np.ptp(still.centres[:, 0]) < 0.02 * 320
    assert np.ptp(moving.zooms) > 0.03 and np.ptp(moving.centres[:, 0]) > 0.05 * 320


def colour_spread(level: int) -> float:
    """Mean deviation of the figures' shirts and trousers within a video, in 8-bit steps."""
    spreads = []
    for seed in range(20):
        outfits = dress(SceneSpec(seed, level, 1), 8)
        colours = np.array([[*outfit.shirt, *outfit.trousers] for outfit in outfits])
        spreads.append(colours.std(0).mean())
    return float(np.mean(spreads))


def test_figures_look_more_alike_with_difficulty():
    spreads = [colour_spread(level) for level in range(4)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] > 30 and 2 < spreads[3] < 10


@pytest.mark.parametrize('heading', [-1.0, -0.4, 0.0, 0.7, 1.0])
def test_whole_figures_fit_their_sprites(heading):
    outfit = dress(SceneSpec(1, 0, 1), 1)[0]
    for phase in np.linspace(0, 2 * np.pi, 12):
        mask = draw_figure(outfit, 100.4, 200.7, 60, phase, heading).mask
        assert not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def test_a_figure_stands_on_its_feet_with_its_height():
    outfit = dress(SceneSpec(1, 0, 1), 1)[0]
    for phase in np.linspace(0, 2 * np.pi, 12):
        x0, y0, x1, y1 = box_of(draw_figure(outfit, 100.0, 200.0, 80, phase, 0.8))
        assert x0 < 100 < x1
        assert y0 == pytest.approx(120, abs=4)
        assert y1 == pytest.approx(200, abs=8)


def test_figures_are_hidden_inside_the_image_and_return_with_their_id():
    returns = 0
    for seed in range(4):
        scene = SyntheticScene(SceneSpec(seed, 3, 30, **SIZE))
        frames = [scene.render(t) for t in range(30)]
        for instance_id in range(1, scene.num_figures + 1):
            seen = [t for t, frame in enumerate(frames) if instance_id in frame.instance_ids]
            returns += sum(
                all(_is_inside(scene, t, instance_id) for t in range(before + 1, after))
                for before, after in pairwise(seen)
                if after > before + 1
            )
    assert returns > 5


def _is_inside(scene: SyntheticScene, t: int, instance_id: int) -> bool:
    sprite = next(s for s, layer_id in scene.layers(t) if layer_id == instance_id)
    x0, y0, x1, y1 = box_of(sprite)
    return x0 >= 0 and y0 >= 0 and x1 <= scene.spec.width and y1 <= scene.spec.height


def test_figures_leave_the_image_and_return_with_their_id():
    returns = 0
    for seed in range(8):
        walks = walk(SceneSpec(seed, 1, 60))
        inside = (walks.feet[..., 0] > -20) & (walks.feet[..., 0] < 340)
        for there in inside.T:
            changes = np.diff(there.astype(int))
            left = np.flatnonzero(changes == -1)
            returns += int(len(left) > 0 and (changes[left[0] :] == 1).any())
    assert returns > 2


def test_hidden_figures_are_absent():
    scene = SyntheticScene(SceneSpec(1, 3, 30, **SIZE))
    counts = [len(scene.render(t).instance_ids) for t in range(30)]
    assert min(counts) < scene.num_figures
    assert all((scene.render(t).visibility >= MIN_VISIBILITY).all() for t in range(0, 30, 6))


def training_clips(workers: int) -> list[tuple]:
    """Frame numbers, boxes and ids of an epoch's clips, and the sum of their pixels."""
    broadcast = dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='lamotr_mm.LoadSyntheticFrame'),
            dict(type='mmdet.RandomFlip', prob=0.5),
        ],
    )
    dataset = SyntheticVideoDataset(
        num_videos=2,
        video_length=6,
        difficulty=1,
        pipeline=[
            dict(type='lamotr_mm.ClipSampler', clip_len=3, max_interval=2),
            broadcast,
            dict(type='mmdet.PackTrackInputs'),
        ],
        **SIZE,
    )
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=workers,
            sampler=dict(type='mmdet.TrackImgSampler', seed=0),
            dataset=dataset,
        )
    )
    clips = []
    for batch in loader:
        for inputs, track in zip(batch['inputs'], batch['data_samples']):
            samples = track.video_data_samples
            boxes = [s.gt_instances.bboxes.tolist() for s in samples]
            ids = [s.gt_instances.instances_ids.tolist() for s in samples]
            clips.append((inputs.sum().item(), [s.frame_id for s in samples], boxes, ids))
    return clips


def test_training_clips_are_the_same_with_and_without_workers():
    clips = training_clips(0)
    assert len(clips) == 12  # each frame starts one
    assert all(np.diff(frames).min() >= 1 for _, frames, _, _ in clips)
    assert clips == training_clips(1)
