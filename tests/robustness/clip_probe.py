"""A hook that keeps which clips a training saw."""

from pathlib import Path

import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


def describe(images: torch.Tensor, sample) -> tuple:
    """(video, sum of all pixels, sum of the boxes' coordinates, ids by frame) of a clip."""
    frames = [frame.gt_instances for frame in sample]
    return (
        sample[0].metainfo['video_name'],
        int(images.long().sum()),
        sum(float(frame.bboxes.double().sum()) for frame in frames),
        tuple(tuple(frame.instances_ids.tolist()) for frame in frames),
    )


@HOOKS.register_module()
class ClipProbe(Hook):
    """Rank 0 writes ``<out_dir>/<epoch>.pth``: by rank, what `describe` says of its clips."""

    def __init__(self, out_dir: str) -> None:
        self.out_dir = Path(out_dir)
        self.clips = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Note the batch's clips."""
        for images, sample in zip(data_batch['inputs'], data_batch['data_samples'], strict=True):
            self.clips.append(describe(images, sample))

    def after_train_epoch(self, runner):
        """Write them down."""
        by_rank = all_gather_object(self.clips)
        self.clips = []
        if is_main_process():
            self.out_dir.mkdir(parents=True, exist_ok=True)
            torch.save(by_rank, self.out_dir / f'{runner.epoch}.pth')
