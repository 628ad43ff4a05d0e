"""From a video to a short clip."""

import random
from collections.abc import Sequence

from mmdet.datasets.transforms import BaseFrameSample

from lamotr_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipSampler(BaseFrameSample):
    """Takes `clip_len` frames, forward in time and evenly spaced, starting at the key frame.

    The interval between frames is drawn uniformly from 1..`max_interval`, as far as the video
    allows (Sec. 4.2: "sampled at random intervals ranging from 1 to 10"). Near the end, where not
    even interval 1 fits, the start moves back; a video shorter than the clip repeats its last
    frame. Draws from `random`, so `SeededPipelineMixin` makes it repeatable.

    Args:
        clip_len (int): T, frames in a clip. Defaults to 3.
        max_interval (int): Largest distance between neighbours, in frames. Defaults to 10.
        reverse_prob (float): Probability that the clip runs backwards in time, which doubles the
            motions and turns leaving into entering. Defaults to 0, as in the paper.
        jump_prob (float): Probability that one of the gaps is longer, by 1..`max_jump` frames: all
            targets are seen again after a while. Defaults to 0, as in the paper.
        max_jump (int): Largest number of frames that are added to that gap. Defaults to 30.
        collect_video_keys (Sequence[str]): Keys of the video to copy into each frame.

    Raises:
        ValueError: `clip_len`, `max_interval` or `max_jump` is below 1, or `reverse_prob` or
            `jump_prob` is no probability.
    """

    def __init__(
        self,
        clip_len: int = 3,
        max_interval: int = 10,
        reverse_prob: float = 0.0,
        jump_prob: float = 0.0,
        max_jump: int = 30,
        collect_video_keys: Sequence[str] = ('video_id', 'video_length'),
    ) -> None:
        if min(clip_len, max_interval, max_jump) < 1:
            raise ValueError(
                'ClipSampler needs clip_len >= 1, max_interval >= 1 and max_jump >= 1, '
                f'got {clip_len}, {max_interval} and {max_jump}'
            )
        for name, share in (('reverse_prob', reverse_prob), ('jump_prob', jump_prob)):
            if not 0 <= share <= 1:
                raise ValueError(f'{name}={share} of ClipSampler must lie in 0..1')
        super().__init__(collect_video_keys=list(collect_video_keys))
        self.clip_len = clip_len
        self.max_interval = max_interval
        self.reverse_prob = reverse_prob
        self.jump_prob = jump_prob
        self.max_jump = max_jump

    def sample_frames(self, start: int, video_length: int) -> list[int]:
        """Draws the indices of a clip's frames.

        Args:
            start (int): Index of the key frame, from 0.
            video_length (int): Number of frames in the video.

        Returns:
            list[int]: `clip_len` indices, ascending, or descending where the clip is reversed;
            equal ones only where the video is shorter.
        """
        last = video_length - 1
        steps = self.clip_len - 1
        start = max(0, min(start, last - steps))
        widest = min(self.max_interval, (last - start) // max(steps, 1))
        interval = random.randint(1, max(widest, 1))
        indices = [min(start + interval * step, last) for step in range(self.clip_len)]
        # no draws where these are off: clips stay what they were
        if self.jump_prob > 0 and random.random() < self.jump_prob:
            indices = self._jump(indices, last)
        backwards = self.reverse_prob > 0 and random.random() < self.reverse_prob
        return indices[::-1] if backwards else indices

    def _jump(self, indices: list[int], last: int) -> list[int]:
        """The same clip with one longer gap, where the video has room for it."""
        room = min(self.max_jump, last - indices[-1])
        if room < 1 or len(indices) < 2:
            return indices
        cut, jump = random.randint(1, len(indices) - 1), random.randint(1, room)
        return indices[:cut] + [index + jump for index in indices[cut:]]

    def transform(self, video_infos: dict) -> dict[str, list]:
        """Collates the clip's frames.

        Args:
            video_infos (dict): A video of a ``BaseVideoDataset``; ``key_frame_id`` (index of the
                start frame) is drawn where it is missing.

        Returns:
            dict[str, list]: Per key a list of `clip_len` values; ``key_frame_flags`` (the first
            frame), ``video_length`` (`clip_len`) and ``ori_video_length`` besides.
        """
        length = len(video_infos['images'])
        start = video_infos.get('key_frame_id')
        if start is None:
            start = random.randrange(length)
        indices = self.sample_frames(start, length)
        # copies: the base class writes into what it is given
        frames = [dict(video_infos['images'][index]) for index in indices]
        results = self.prepare_data(dict(video_infos, images=frames), range(self.clip_len))
        results['key_frame_flags'] = [True] + [False] * (self.clip_len - 1)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip_len={self.clip_len}, max_interval={self.max_interval}, '
            f'reverse_prob={self.reverse_prob}, jump_prob={self.jump_prob}, '
            f'max_jump={self.max_jump}, '
            f'collect_video_keys={self.collect_video_keys})'
        )
