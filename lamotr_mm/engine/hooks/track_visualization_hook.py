"""Drawn tracks of validation and test frames, also of frames that are no files."""

import os.path as osp
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmdet.engine.hooks import TrackVisualizationHook as MMDetTrackVisualizationHook
from mmdet.structures import DetDataSample
from mmengine.runner import Runner

from lamotr_mm.io.frame_meta import frame_number, sequence_name
from lamotr_mm.registry import HOOKS


@HOOKS.register_module()
class TrackVisualizationHook(MMDetTrackVisualizationHook):
    """mmdet's hook, with two repairs.

    Test frames are drawn to ``<work_dir>/<timestamp>/<test_out_dir>/<sequence>/<frame>.jpg``;
    mmdet's nests that folder in itself, once more for each frame, where `work_dir` is relative. A
    frame that has no file (synthetic video) is taken from the batch.

    Args: as mmdet's hook (``draw``, ``frame_interval``, ``score_thr``, ``show``, ``wait_time``,
    ``test_out_dir``, ``backend_args``).
    """

    test_out_dir: str | None  # of mmdet's hook

    def before_test(self, runner: Runner) -> None:
        """Settle the folder: joined to an absolute path, mmdet's prefixes have no effect."""
        if self.test_out_dir is not None:
            self.test_out_dir = osp.abspath(
                osp.join(runner.work_dir, runner.timestamp, self.test_out_dir)
            )

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Any) -> None:
        """Draw every ``frame_interval``-th frame."""
        self._inputs = data_batch['inputs'][0]
        super().after_val_iter(runner, batch_idx, data_batch, outputs)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Any
    ) -> None:
        """Draw every ``frame_interval``-th frame."""
        self._inputs = data_batch['inputs'][0]
        super().after_test_iter(runner, batch_idx, data_batch, outputs)

    def visualize_single_image(self, img_data_sample: DetDataSample, step: int) -> None:
        """Draw the tracks of one frame.

        Args:
            img_data_sample (DetDataSample): Has ``pred_track_instances``, boxes in px of the
                original image.
            step (int): Number of the frame in the run, for the visual backends.
        """
        meta = img_data_sample.metainfo
        out_file = None
        if self.test_out_dir is not None:
            name = Path(meta.get('img_path') or f'{frame_number(meta):06d}').stem
            out_file = osp.join(self.test_out_dir, sequence_name(meta), f'{name}.jpg')
        self._visualizer.add_datasample(
            'test_img',
            self._image(meta),
            data_sample=img_data_sample,
            # PackTrackInputs and the visualizer disagree on the name of the ids of ground truth
            draw_gt=False,
            show=self.show,
            wait_time=self.wait_time,
            pred_score_thr=self.score_thr,
            out_file=out_file,
            step=step,
        )

    def _image(self, meta: dict) -> np.ndarray:
        """The frame at its original size, ``(H, W, 3)`` uint8 RGB."""
        if Path(meta.get('img_path') or '').is_file():
            return mmcv.imread(meta['img_path'], channel_order='rgb')
        # one frame (TrackImgSampler), or a whole video
        index = meta['frame_id'] if len(self._inputs) > 1 else 0
        image = self._inputs[index].cpu().numpy().transpose(1, 2, 0)
        height, width = meta['ori_shape'][:2]
        return mmcv.imresize(mmcv.bgr2rgb(image.astype(np.uint8)), (width, height))
