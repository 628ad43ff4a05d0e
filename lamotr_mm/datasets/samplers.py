"""The order in which frames are visited."""

import numpy as np
from mmdet.datasets import BaseVideoDataset
from mmdet.datasets.samplers import TrackImgSampler
from mmengine.dist import get_dist_info

from lamotr_mm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class VideoFrameSampler(TrackImgSampler):
    """mmdet's ``TrackImgSampler``, which refuses to test fewer videos than there are ranks.

    A video is tracked by one rank from its first frame to its last; here the ranks that are left
    over get nothing to do. In training it is mmdet's: every frame of every video once an epoch.

    Args:
        dataset: video dataset; its ``test_mode`` decides.
        seed: of the order in training; the same on all ranks.
    """

    def __init__(self, dataset: BaseVideoDataset, seed: int | None = None) -> None:
        rank, ranks = get_dist_info()
        if not getattr(dataset, 'test_mode', False) or len(dataset) >= ranks:
            super().__init__(dataset, seed)
            return
        self.rank, self.world_size, self.epoch, self.seed = rank, ranks, 0, seed
        self.dataset, self.test_mode = dataset, True
        videos = np.array_split(np.arange(len(dataset)), ranks)
        self.indices = [
            [(int(v), f) for v in share for f in range(dataset.get_len_per_video(int(v)))]
            for share in videos
        ]
        self.num_samples = len(self.indices[rank])
        self.total_size = sum(map(len, self.indices))

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch (from 0) of the order and, in training, of the data set's random numbers.

        mmengine's iteration-based loop tells it to the sampler alone, when it has come to the end
        of the data and no worker is ahead; an epoch-based loop has told the data set before.
        """
        super().set_epoch(epoch)
        if not self.test_mode and hasattr(self.dataset, 'set_epoch'):
            self.dataset.set_epoch(epoch)
