"""A video of a data set that a config names: which one, its frames, its ground truth."""

from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.dataset import BaseDataset

from lamotr_mm.evaluation.association import frame_truth
from lamotr_mm.io.frame_meta import frame_number, sequence_name


def find_video(dataset: BaseDataset, name: str | None) -> int:
    """Index of a video; of the first one for None.

    Raises:
        ValueError: there is none of this name.
    """
    names = [
        sequence_name(dataset.get_data_info(index)['images'][0]) for index in range(len(dataset))
    ]
    if name is None:
        return 0
    if name not in names:
        raise ValueError(f'--video {name}: the test data have {", ".join(names)}')
    return names.index(name)


def original_image(data: dict[str, Any]) -> np.ndarray:
    """A frame at its original size, ``(H, W, 3)`` uint8 BGR; drawn video has no files.

    Args:
        data: a packed frame of the data set: ``inputs`` and ``data_samples``.
    """
    meta = data['data_samples'][0].metainfo
    if Path(meta['img_path']).is_file():
        return mmcv.imread(meta['img_path'])
    image = np.ascontiguousarray(data['inputs'][0].numpy().transpose(1, 2, 0))
    height, width = meta['ori_shape'][:2]
    return mmcv.imresize(image, (width, height))


def ground_truth(meta: dict[str, Any]) -> np.ndarray | None:
    """Ground truth of a frame as MOTChallenge rows ``(n, 8)``, as in ``lamotr_mm.io.mot_rows``.

    Args:
        meta: the frame's metainfo; None is returned where it has no ``instances``.
    """
    if 'instances' not in meta:
        return None
    boxes, ids, ignored = frame_truth(meta['instances'])
    labels = np.array([i['bbox_label'] for i in meta['instances']], dtype=np.int64)
    numbers = np.full(len(ids), frame_number(meta))
    sizes = boxes[:, 2:] - boxes[:, :2]
    return np.column_stack([numbers, ids, boxes[:, :2], sizes, ~ignored, labels + 1])
