"""Several sets of videos as one to train on."""

from collections.abc import Sequence

from mmdet.datasets import BaseVideoDataset

from lamotr_mm.registry import DATASETS

from .seeding import SeededPipelineMixin


@DATASETS.register_module()
class ConcatVideoDataset(BaseVideoDataset):
    """The videos of several data sets, one after the other, each with its data set's pipeline.

    To samplers it is one video data set: indices are a video's number over all members, or
    (number, start frame). So mmdet's ``TrackImgSampler`` starts a clip at every frame of every
    member once an epoch; with mmdet's ``ConcatDataset`` the members' indices would coincide.

    Random numbers of a sample depend on its member, seed, epoch and index: members draw different
    ones, also at equal seeds. Identities are those of the members: they are told apart clip by
    clip, never between clips, so that members may share numbers.

    Args:
        datasets (Sequence[dict | BaseVideoDataset]): The members, or their configs.

    Raises:
        ValueError: There is no member, one is in test mode, or their ``metainfo`` differs.
        TypeError: A member is no video data set with `SeededPipelineMixin`.
    """

    def __init__(self, datasets: Sequence[dict | BaseVideoDataset]) -> None:
        if not datasets:
            raise ValueError('ConcatVideoDataset needs datasets=[...], got none')
        self.datasets = [
            DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
            for dataset in datasets
        ]
        for number, dataset in enumerate(self.datasets):
            self._check_member(number, dataset)
            dataset.member = number
        super().__init__(metainfo=self.datasets[0].metainfo, serialize_data=False)

    def _check_member(self, number: int, dataset: object) -> None:
        where = f'ConcatVideoDataset: datasets[{number}] ({type(dataset).__name__})'
        if not (isinstance(dataset, BaseVideoDataset) and isinstance(dataset, SeededPipelineMixin)):
            raise TypeError(
                f'{where} must be a video data set with SeededPipelineMixin, such as '
                'lamotr_mm.MOTVideoDataset'
            )
        if dataset.test_mode:
            raise ValueError(
                f'{where} has test_mode=True: mixed sets are for training, validate and test on '
                'one data set'
            )
        first, metainfo = self.datasets[0].metainfo, dataset.metainfo
        for key in first.keys() | metainfo.keys():
            if first.get(key) != metainfo.get(key):
                raise ValueError(
                    f'{where} has metainfo {key}={metainfo.get(key)}, datasets[0] has '
                    f'{first.get(key)}: give both the same metainfo=dict(classes=(...))'
                )

    def load_data_list(self) -> list[tuple[int, int]]:
        """Pairs (member, video of the member)."""
        return [
            (number, video)
            for number, dataset in enumerate(self.datasets)
            for video in range(len(dataset))
        ]

    def filter_data(self) -> list[tuple[int, int]]:
        """Every video: the members have filtered theirs."""
        return self.data_list

    def get_data_info(self, idx: int) -> dict:
        """A video as its member gives it.

        Args:
            idx (int): Number of the video over all members.

        Returns:
            dict: ``video_id``, ``video_length``, ``images``; ``sample_idx`` is the number in the
            member.
        """
        member, video = self.data_list[idx]
        return self.datasets[member].get_data_info(video)

    def prepare_data(self, idx: int | tuple[int, int]) -> dict:
        """A sample of the member, seeded and augmented by it.

        Args:
            idx (int | tuple[int, int]): Number of the video, or of the video and its start frame.
        """
        if not isinstance(idx, tuple):
            member, video = self.data_list[idx]
            return self.datasets[member][video]
        member, video = self.data_list[idx[0]]
        return self.datasets[member][video, idx[1]]

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch (from 0) of all members, also in worker processes that run already."""
        for dataset in self.datasets:
            dataset.set_epoch(epoch)
