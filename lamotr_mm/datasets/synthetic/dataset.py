"""Synthetic videos as a data set: no files, each frame is drawn when it is asked for."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets import BaseVideoDataset

from lamotr_mm.registry import DATASETS, TRANSFORMS

from ..seeding import SeededPipelineMixin
from .render import get_scene
from .scene import SceneSpec

# seeds of each split; they never overlap
SPLITS = dict(train=range(10_000), val=range(10_000, 20_000), test=range(20_000, 2**31))


@DATASETS.register_module()
class SyntheticVideoDataset(SeededPipelineMixin, BaseVideoDataset):
    """Figures that walk, cross, hide each other, leave and come back, before a moving camera.

    Video ``k`` has seed ``first seed of the split + offset + k``. Frames are drawn, and ground
    truth is taken from the pixels drawn, by :class:`LoadSyntheticFrame` in the pipeline.

    Args:
        split: 'train' (seeds 0-9,999), 'val' (10,000-19,999) or 'test' (from 20,000).
        num_videos: number of videos.
        video_length: frames in each.
        difficulty: 0 (slow, few, all different) to 3 (association by overlap fails); a sequence is
            cycled over the videos.
        offset: seeds of the split that are left out.
        height, width: px of a frame.
        **kwargs: ``seed`` of `SeededPipelineMixin`, and those of mmdet's ``BaseVideoDataset``.

    Raises:
        ValueError: an unknown split, a seed that leaves its split, or a bad scene parameter.
    """

    METAINFO: ClassVar[dict] = dict(classes=('figure',))

    def __init__(
        self,
        *args: Any,
        split: str = 'train',
        num_videos: int = 100,
        video_length: int = 20,
        difficulty: int | Sequence[int] = (0, 1, 2, 3),
        offset: int = 0,
        height: int = 256,
        width: int = 320,
        **kwargs: Any,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f'split={split!r}: must be one of {", ".join(SPLITS)}')
        seeds = SPLITS[split]
        if offset < 0 or num_videos < 1 or offset + num_videos > len(seeds):
            raise ValueError(
                f'split {split!r} has seeds {seeds[0]} to {seeds[-1]}: {num_videos} videos from '
                f'offset {offset} do not fit'
            )
        levels = (difficulty,) if isinstance(difficulty, int) else tuple(difficulty)
        if not levels:
            raise ValueError('difficulty=(): at least one, 0 to 3')
        self.scenes = [
            SceneSpec(seeds[offset + k], levels[k % len(levels)], video_length, height, width)
            for k in range(num_videos)
        ]
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Videos with the frames to draw; ``instances`` are filled in when a frame is drawn."""
        return [
            dict(
                video_id=video_id,
                video_length=scene.length,
                images=[_frame_info(scene, video_id, index) for index in range(scene.length)],
            )
            for video_id, scene in enumerate(self.scenes)
        ]

    def filter_data(self) -> list[dict]:
        """Every frame stays, also those without figures."""
        return self.data_list


def _frame_info(scene: SceneSpec, video_id: int, index: int) -> dict:
    return dict(
        img_id=video_id * scene.length + index,
        video_id=video_id,
        video_name=scene.name,
        frame_id=index,
        mot_frame_id=index + 1,
        img_path=f'{scene.name}/img1/{index + 1:06d}.jpg',
        height=scene.height,
        width=scene.width,
        scene=scene,
        instances=[],
    )


@TRANSFORMS.register_module()
class LoadSyntheticFrame(BaseTransform):
    """Draws a frame; takes the place of ``LoadImageFromFile`` and ``LoadTrackAnnotations``.

    Adds ``img`` (H, W, 3) uint8 BGR, ``gt_bboxes`` (n, 4) xyxy px, ``gt_bboxes_labels``,
    ``gt_instances_ids`` and ``gt_ignore_flags`` (n,), ``instances``, ``img_shape`` and
    ``ori_shape``.
    """

    def transform(self, results: dict) -> dict:
        """Draw frame ``frame_id`` of ``scene``."""
        frame = get_scene(results['scene']).render(results['frame_id'])
        count = len(frame.instance_ids)
        results['img'] = frame.image
        results['img_shape'] = results['ori_shape'] = frame.image.shape[:2]
        results['gt_bboxes'] = frame.boxes_xyxy
        results['gt_bboxes_labels'] = np.zeros(count, dtype=np.int64)
        results['gt_instances_ids'] = frame.instance_ids
        results['gt_ignore_flags'] = np.zeros(count, dtype=bool)
        results['instances'] = [
            dict(
                bbox=box.tolist(),
                bbox_label=0,
                instance_id=int(instance_id),
                ignore_flag=0,
                visibility=float(visibility),
            )
            for box, instance_id, visibility in zip(
                frame.boxes_xyxy, frame.instance_ids, frame.visibility
            )
        ]
        return results
