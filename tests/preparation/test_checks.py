"""Which sets a config has, and what is wrong with their images."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from lamotr_mm.datasets import LoadFrame, MOTVideoDataset, SyntheticVideoDataset
from lamotr_mm.preparation.checks import check_set, find_sets, image_defect, leaf_datasets, open_set

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


MOT = dict(type='lamotr_mm.MOTVideoDataset', data_root='d', ann_file='a.json')


class TestSets:
    def config(self, **loaders):
        return Config({f'{split}_dataloader': loader for split, loader in loaders.items()})

    def test_each_set_is_there_once(self):
        train = dict(MOT, ann_file='t.json', pipeline=[dict(type='X')], seed=1)
        test = dict(MOT, test_mode=True)
        config = self.config(
            train=dict(dataset=train), val=dict(dataset=MOT), test=dict(dataset=test)
        )
        found = find_sets(config, ['test', 'val', 'train'])
        assert [users for users, _ in found] == [['train'], ['val', 'test']]
        assert [dataset['ann_file'] for _, dataset in found] == ['t.json', 'a.json']
        assert [users for users, _ in find_sets(config, ['test'])] == [['test']]

    def test_other_classes_are_another_set(self):
        bees = dict(MOT, metainfo=dict(classes=('bee',)))
        config = self.config(train=dict(dataset=MOT), val=dict(dataset=bees))
        assert [users for users, _ in find_sets(config, ['train', 'val'])] == [['train'], ['val']]

    def test_wrappers_are_opened(self):
        one, two, three = (dict(MOT, ann_file=f'{k}.json') for k in (1, 2, 3))
        inner = dict(type='ConcatDataset', datasets=[two, three])
        wrapper = dict(type='Any', datasets=[one, dict(type='RepeatDataset', dataset=inner)])
        assert list(leaf_datasets(wrapper)) == [one, two, three]
        config = self.config(train=dict(dataset=wrapper))
        assert [dataset for _, dataset in find_sets(config, ['train'])] == [one, two, three]

    def test_splits_without_data(self):
        config = self.config(train=dict(dataset=MOT), val=None)
        assert len(find_sets(config, ['train', 'val', 'test'])) == 1
        with pytest.raises(ValueError, match='no data set for val, test'):
            find_sets(config, ['val', 'test'])

    def test_opened_without_reading(self):
        dataset = open_set(dict(MOT, data_prefix=dict(img_path='i'), pipeline=[dict(type=3)]))
        assert isinstance(dataset, MOTVideoDataset)
        assert (dataset.ann_file, dataset.data_prefix) == ('d/a.json', dict(img_path='d/i'))
        assert dataset.metainfo['classes'] == ('pedestrian',)
        synthetic = open_set(dict(type='lamotr_mm.SyntheticVideoDataset', num_videos=1))
        assert isinstance(synthetic, SyntheticVideoDataset) and not synthetic.ann_file
        with pytest.raises(ValueError, match=r'mmdet\.CocoDataset is no video data set'):
            open_set(dict(type='mmdet.CocoDataset', ann_file='a.json'))


def write(path, image=NOISE, options=()):
    cv2.imwrite(str(path), image, list(options))
    return str(path)


def cut(path, part):
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])


@pytest.mark.parametrize('decode', [True, False])
class TestImages:
    @pytest.mark.parametrize('suffix', ['.jpg', '.png', '.bmp'])
    def test_sound(self, tmp_path, decode, suffix):
        path = write(tmp_path / f'1{suffix}')
        assert image_defect(path, (64, 48), decode) is None

    def test_missing(self, tmp_path, decode):
        path = str(tmp_path / '1.jpg')
        found = ('missing image', f'{path} does not exist')
        assert image_defect(path, (64, 48), decode) == found

    def test_folder_instead(self, tmp_path, decode):
        kind, message = image_defect(str(tmp_path), (64, 48), decode)
        assert kind == 'unreadable image' and message.startswith(f'{tmp_path}: ')

    @pytest.mark.parametrize('suffix', ['.jpg', '.png'])
    @pytest.mark.parametrize('part', [0, 0.01, 0.5, 0.99])
    def test_cut_off(self, tmp_path, decode, suffix, part):
        path = tmp_path / f'1{suffix}'
        write(path)
        cut(path, part)
        kind, message = image_defect(str(path), (64, 48), decode)
        assert kind == 'unreadable image' and f'1{suffix} is cut off or no image' in message

    def test_text(self, tmp_path, decode):
        (tmp_path / '1.jpg').write_text('no image')
        assert image_defect(str(tmp_path / '1.jpg'), (64, 48), decode)[0] == 'unreadable image'

    def test_other_size(self, tmp_path, decode):
        path = write(tmp_path / '1.png')
        kind, message = image_defect(path, (48, 64), decode)
        assert kind == 'image size'
        assert message == f'{path} has 64x48 px, its annotations are for 48x64 px'

    def test_turned_by_exif(self, tmp_path, decode):
        """A photograph on its side has the size that training sees."""
        data = cv2.imencode('.jpg', NOISE)[1].tobytes()
        exif = b'Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0'
        path = tmp_path / '1.jpg'
        block = b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif
        path.write_bytes(data[:2] + block + data[2:])
        loaded = LoadFrame().transform(dict(img_path=str(path)))['img']
        assert loaded.shape == (64, 48, 3)
        assert image_defect(str(path), (48, 64), decode) is None
        assert image_defect(str(path), (64, 48), decode)[0] == 'image size'

    def test_broken_exif(self, tmp_path, decode):
        path = tmp_path / '1.jpg'
        Image.fromarray(NOISE).save(path, exif=b'Exif\0\0broken', dpi=(72, 72))
        assert image_defect(str(path), (64, 48), decode) is None


def test_pixels_that_are_broken_in_the_middle_are_found_by_decoding(tmp_path):
    path = tmp_path / '1.png'
    write(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert image_defect(str(path), (64, 48), decode=False) is None
    assert image_defect(str(path), (64, 48))[0] == 'unreadable image'


@pytest.mark.parametrize('jobs', [1, 3])
def test_a_whole_set(tmp_path, jobs):
    """Problems of the annotations, then of the images in their order, whatever the threads."""
    images = [
        dict(id=k, video_id=1, file_name=f'{k}.jpg', width=64, height=48, frame_id=k)
        for k in range(8)
    ]
    box = dict(image_id=3, category_id=1, instance_id=4, bbox=[1, 1, 0, 5])
    good = dict(box, bbox=[1, 1, 5, 5], image_id=4)
    content = dict(
        categories=[dict(id=1, name='bee')],
        videos=[dict(id=1, name='v')],
        images=images,
        annotations=[box, good],
    )
    (tmp_path / 'a.json').write_text(json.dumps(content))
    for k in (0, 1, 2, 3, 5, 7):
        write(tmp_path / f'{k}.jpg', NOISE if k != 5 else NOISE[:40])
    cut(tmp_path / '2.jpg', 0.5)
    config = dict(
        type='lamotr_mm.MOTVideoDataset',
        data_root=str(tmp_path),
        ann_file='a.json',
        data_prefix=dict(img_path=''),
        metainfo=dict(classes=('bee',)),
    )
    totals, steps = [], []
    report = check_set(
        open_set(config), jobs, on_start=totals.append, on_image=lambda: steps.append(1)
    )
    assert [(p.kind, p.video, p.frame) for p in report.problems] == [
        ('box of zero size', 'v', 4),
        ('unreadable image', 'v', 3),
        ('missing image', 'v', 5),
        ('image size', 'v', 6),
        ('missing image', 'v', 7),
    ]
    assert report.problems[1].file == str(tmp_path / '2.jpg')
    assert (totals, len(steps)) == ([8], 8)
