"""Frames from files, with errors that name the culprit."""

import mmcv
import mmengine.fileio as fileio
from mmcv.transforms import LoadImageFromFile

from lamotr_mm.io.images import is_cut_off
from lamotr_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadFrame(LoadImageFromFile):
    """Loads a frame as BGR uint8 of shape ``(H, W, 3)``; grey, RGBA and 16 bit images as well.

    Takes ``img_path`` and, where they are there, ``width`` and ``height`` in px, ``video_name`` and
    ``frame_id``. Adds ``img``, ``img_shape`` and ``ori_shape``. Arguments are those of mmcv's
    ``LoadImageFromFile``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is cut off or no image, or its size is not that of the annotations.
    """

    def transform(self, results: dict) -> dict:
        """Loads the image of one frame."""
        path = results['img_path']
        where = (
            f'{path} (video {results.get("video_name", "?")}, '
            f'frame {results.get("mot_frame_id", results.get("frame_id", "?"))})'
        )
        try:
            data = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'frame {where} does not exist: check data_root and data_prefix'
            ) from error
        image = None
        if not is_cut_off(data):
            image = mmcv.imfrombytes(data, flag=self.color_type, backend=self.imdecode_backend)
        if image is None:
            raise ValueError(f'frame {where} is cut off or no image: fetch or extract it again')
        height, width = image.shape[:2]
        stated = (results.get('width', width), results.get('height', height))
        if stated != (width, height):
            raise ValueError(
                f'frame {where} has {width}x{height} px, its annotations are for '
                f'{stated[0]}x{stated[1]} px: make the annotation file again'
            )
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = (height, width)
        return results
