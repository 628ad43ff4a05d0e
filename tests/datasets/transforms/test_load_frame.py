"""LoadFrame: odd images become BGR uint8, broken ones are named."""

import cv2
import numpy as np
import pytest

from lamotr_mm.datasets import LoadFrame

PICTURE = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
GREY = PICTURE[..., 0]


def load(path, **info):
    return LoadFrame().transform(dict(img_path=str(path), video_name='walk', frame_id=6, **info))


@pytest.mark.parametrize(
    ('image', 'expected'),
    [
        (PICTURE, PICTURE),
        (GREY, np.stack([GREY] * 3, -1)),
        (np.dstack([PICTURE, GREY]), PICTURE),
        (PICTURE.astype(np.uint16) * 257, PICTURE),
        (GREY.astype(np.uint16) * 257, np.stack([GREY] * 3, -1)),
    ],
    ids=['bgr', 'grey', 'bgra', 'bgr16', 'grey16'],
)
def test_kinds_of_images(tmp_path, image, expected):
    cv2.imwrite(str(tmp_path / '1.png'), image)
    results = load(tmp_path / '1.png', width=48, height=32)
    assert results['img'].dtype == np.uint8
    assert np.array_equal(results['img'], expected)
    assert results['img_shape'] == results['ori_shape'] == (32, 48)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'7\.jpg \(video walk, frame 6\) does not exist'):
        load(tmp_path / '7.jpg')


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('part', [0, 0.01, 0.3, 0.7, 0.99])
def test_cut_off(tmp_path, suffix, part):
    path = tmp_path / f'7{suffix}'
    cv2.imwrite(str(path), PICTURE)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(ValueError, match=rf'7\{suffix} \(video walk, frame 6\) is cut off'):
        load(path)


def test_progressive_jpeg_cut_off_in_a_later_scan(tmp_path):
    path = tmp_path / '7.jpg'
    cv2.imwrite(str(path), PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert load(path)['img'].shape == (32, 48, 3)
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b'\xff\xda') + 12])
    with pytest.raises(ValueError, match='is cut off'):
        load(path)


def test_what_follows_the_end_does_no_harm(tmp_path):
    path = tmp_path / '7.jpg'
    cv2.imwrite(str(path), PICTURE)
    whole = load(path)['img']
    path.write_bytes(path.read_bytes() + b'\0' * 100)
    assert np.array_equal(load(path)['img'], whole)


def test_no_image(tmp_path):
    (tmp_path / '7.jpg').write_text('no image')
    with pytest.raises(ValueError, match='is cut off or no image'):
        load(tmp_path / '7.jpg')


def test_size_other_than_annotated(tmp_path):
    cv2.imwrite(str(tmp_path / '7.png'), PICTURE)
    with pytest.raises(ValueError, match='has 48x32 px, its annotations are for 48x30 px'):
        load(tmp_path / '7.png', width=48, height=30)
