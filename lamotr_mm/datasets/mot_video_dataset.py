"""Annotated video as CocoVID json."""

import os.path as osp
from collections import defaultdict
from typing import Any, ClassVar

from mmdet.datasets import BaseVideoDataset

from lamotr_mm.io.cocovid_json import (
    class_defect,
    entry_defect,
    is_finite,
    is_ignored,
    is_outside,
    load_cocovid,
)
from lamotr_mm.registry import DATASETS

from .packed_frames import PackedFrames
from .seeding import SeededPipelineMixin


@DATASETS.register_module()
class MOTVideoDataset(SeededPipelineMixin, BaseVideoDataset):
    """Videos with boxes and identities, from the json that ``mot2cocovid.py`` writes.

    Unlike mmdet's datasets it keeps frames without boxes, takes 0 for an identity, orders labels
    as ``metainfo['classes']``, and finds broken annotations when it is made.

    An item of ``instances`` has ``bbox`` ([x1, y1, x2, y2] in px of the image, not clipped to it),
    ``bbox_label``, ``instance_id``, ``ignore_flag`` (1: ``iscrowd``), ``category_id`` (the number
    in the json), ``mot_conf`` and ``visibility`` (1.0 where the json has none). Boxes of classes
    that aren't among ``metainfo['classes']`` are left out, ignored ones apart: those have label 0.
    Boxes of zero size are left out, in training also those wholly outside the image.

    Args:
        filter_cfg (dict, optional): mmdet's; frames without boxes and narrow ones are kept unless
            ``filter_empty_gt=True`` or ``min_size`` (px) say otherwise.
        **kwargs: ``seed`` of `SeededPipelineMixin`, and those of mmdet's ``BaseVideoDataset``, of
            which ``serialize_data`` has no effect (see `PackedFrames`).

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        ValueError: A class isn't in the json, or an annotation is broken; the message names it.
    """

    METAINFO: ClassVar[dict] = dict(classes=('pedestrian',))

    def __init__(self, *args: Any, filter_cfg: dict | None = None, **kwargs: Any) -> None:
        filter_cfg = dict(filter_empty_gt=False, min_size=0) | (filter_cfg or {})
        kwargs['serialize_data'] = False
        super().__init__(*args, filter_cfg=filter_cfg, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Reads and checks the json; videos and frames in order of their ids and ``frame_id``."""
        content = load_cocovid(self.ann_file)
        for name in ('categories', 'videos', 'images'):
            for index, entry in enumerate(content[name]):
                self._check(name, entry, f'{self.ann_file}: {name}[{index}]')
        self._map_classes(content['categories'])
        annotations = defaultdict(list)
        for annotation in content['annotations']:
            annotations[annotation.get('image_id')].append(annotation)
        names = {video['id']: video['name'] for video in content['videos']}
        images = defaultdict(list)
        for image in content['images']:
            if image['video_id'] not in names:
                raise ValueError(
                    f'{self.ann_file}: image {image["file_name"]} is of video {image["video_id"]}, '
                    'which is not among the videos'
                )
            raw = dict(
                raw_img_info=image | dict(video_name=names[image['video_id']]),
                raw_ann_info=annotations.pop(image['id'], []),
            )
            images[image['video_id']].append(self.parse_data_info(raw))
        if annotations:
            raise ValueError(
                f'{self.ann_file}: annotations of image_id {next(iter(annotations))}, which is not '
                'there'
            )
        return [
            dict(
                video_id=video_id,
                video_length=len(images[video_id]),
                images=sorted(images[video_id], key=lambda info: info['frame_id']),
            )
            for video_id in sorted(images)
        ]

    @staticmethod
    def _check(name: str, entry: dict, where: str) -> None:
        """Raises ValueError where an entry can't be worked with."""
        defect = entry_defect(name, entry)
        if defect is not None:
            raise ValueError(f'{where} {defect[1]}')

    def _map_classes(self, categories: list[dict]) -> None:
        """Labels are positions in ``metainfo['classes']``."""
        ids = {category['name']: category['id'] for category in categories}
        classes = self.metainfo['classes']
        defect = class_defect(categories, classes)
        if defect is not None:
            raise ValueError(f'{self.ann_file}: {defect}')
        self.cat_ids = [ids[name] for name in classes]
        self.cat2label = {category_id: label for label, category_id in enumerate(self.cat_ids)}

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Checks and converts one frame.

        Args:
            raw_data_info (dict): ``raw_img_info`` and ``raw_ann_info`` of the json.

        Returns:
            dict: The image's entry with ``img_path``, ``img_id``, ``video_name`` and ``instances``.
        """
        image = raw_data_info['raw_img_info']
        info = dict(image, img_id=image['id'])
        info['img_path'] = osp.join(self.data_prefix.get('img_path', ''), image['file_name'])
        info['instances'] = []
        seen = set()
        for annotation in raw_data_info['raw_ann_info']:
            where = f'{self.ann_file}: video {image["video_name"]}, frame {image["frame_id"]}'
            instance = self._parse_instance(annotation, where)
            if instance is None:
                continue
            if instance['instance_id'] in seen:
                raise ValueError(f'{where}: instance_id {instance["instance_id"]} is there twice')
            seen.add(instance['instance_id'])
            size = image['width'], image['height']
            if self.test_mode or not is_outside(annotation['bbox'], size):
                info['instances'].append(instance)
        return info

    def _parse_instance(self, annotation: dict, where: str) -> dict | None:
        """Checks and converts one annotation; None where it is not for this dataset."""
        ignored = is_ignored(annotation)
        label = self.cat2label.get(annotation.get('category_id'), 0 if ignored else None)
        if label is None:
            return None
        self._check('annotations', annotation, f'{where}: annotation {annotation.get("id")}')
        x, y, w, h = annotation['bbox']
        if not is_finite(annotation['bbox']):
            raise ValueError(
                f'{where}: box {annotation["bbox"]} of instance_id {annotation["instance_id"]} '
                'is not finite'
            )
        if w <= 0 or h <= 0:
            return None
        return dict(
            bbox=[x, y, x + w, y + h],
            bbox_label=label,
            instance_id=annotation['instance_id'],
            ignore_flag=int(ignored),
            category_id=annotation['category_id'],
            mot_conf=annotation.get('mot_conf', 1.0),
            visibility=annotation.get('visibility', 1.0),
        )

    def filter_data(self) -> list[dict]:
        """Filters frames as ``filter_cfg`` says (not in test mode), and packs them.

        Raises:
            ValueError: No frame is left.
        """
        # not by mmdet's method, which keeps all frames of a video when it should drop its last one
        videos = []
        for video in self.data_list:
            frames = [info for info in video['images'] if self.test_mode or self._passes(info)]
            if frames:
                videos.append(dict(video, video_length=len(frames), images=PackedFrames(frames)))
        if not videos:
            raise ValueError(
                f'{self.ann_file}: has no frames, or none that passes filter_cfg={self.filter_cfg}'
            )
        return videos

    def _passes(self, info: dict) -> bool:
        """Whether ``filter_cfg`` keeps a frame."""
        if self.filter_cfg['filter_empty_gt'] and not info['instances']:
            return False
        return min(info['width'], info['height']) >= self.filter_cfg['min_size']
