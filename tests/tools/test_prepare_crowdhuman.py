"""`prepare_crowdhuman.py` on miniature downloads."""

import importlib.util
import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from PIL import Image

from lamotr_mm.datasets import MOTVideoDataset
from lamotr_mm.io.archives import Archive
from lamotr_mm.preparation import crowdhuman

ROOT = Path(__file__).resolve().parents[2]
TURNED = 4  # the image with EXIF data


def prepare(*arguments):
    """Exit status of the tool."""
    file = ROOT / 'tools' / 'dataset_converters' / 'prepare_crowdhuman.py'
    spec = importlib.util.spec_from_file_location('tool_prepare_crowdhuman', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(list(map(str, arguments)))


def box(rng, tag='person', **extra):
    """A box as in the odgt, with values of its own."""
    full = [*map(int, rng.integers(-9, 40, 2)), *map(int, rng.integers(1, 60, 2))]
    entry = dict(fbox=full, tag=tag, hbox=[1, 2, 3, 4], vbox=[5, 6, 7, 8])
    if extra:
        entry['extra'] = extra
    return entry | dict(head_attr=dict(ignore=0, occ=0, unsure=0))


def make_images(count=6, first=0):
    """Images of different sizes: {ID: (jpg, size as OpenCV loads it)}, and their boxes by ID."""
    images, boxes = {}, {}
    for index in range(first, first + count):
        rng = np.random.default_rng(index)
        width, height = 30 + index, 20 + 2 * index
        image = Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8))
        exif = Image.Exif()
        if index == TURNED:
            exif[0x0112] = 6
            width, height = height, width
        file = io.BytesIO()
        image.save(file, 'jpeg', exif=exif)
        name = f'27327{index},{index}a0d6000b9e1f5b7'
        images[name] = file.getvalue(), (width, height)
        # each kind of box; the second image has none
        boxes[name] = [
            box(rng, box_id=0, occ=0),
            box(rng, box_id=1, occ=1, ignore=0),
            box(rng, box_id=2, ignore=1),
            box(rng, 'mask', ignore=1),
            box(rng, 'mask'),
            box(rng),
        ][: 6 if index != 1 else 0]
    return images, boxes


def write(src, images, boxes, split='val', packed=True):
    """The official layout."""
    src.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(dict(ID=name, gtboxes=entries)) for name, entries in boxes.items()]
    (src / f'annotation_{split}.odgt').write_text('\n'.join(lines) + '\n')
    names = sorted(images)
    archives = [names] if split == 'val' else [names[::3], names[1::3], names[2::3]]
    for number, part in enumerate(archives, start=1):
        name = f'CrowdHuman_{split}{f"{number:02d}" if split == "train" else ""}'
        if packed:
            with zipfile.ZipFile(src / f'{name}.zip', 'w') as archive:
                archive.writestr('Images/', b'')
                for image in part:
                    archive.writestr(f'Images/{image}.jpg', images[image][0])
        else:
            (src / name / 'Images').mkdir(parents=True)
            for image in part:
                (src / name / 'Images' / f'{image}.jpg').write_bytes(images[image][0])


@pytest.fixture
def six(monkeypatch):
    """CrowdHuman val is made of six images, train of nine."""
    monkeypatch.setattr(crowdhuman, 'IMAGES', dict(val=6, train=9))


@pytest.fixture
def download(tmp_path):
    """Folder, images and boxes."""
    images, boxes = make_images()
    write(tmp_path / 'downloads', images, boxes)
    return tmp_path / 'downloads', images, boxes


def load(out, split='val'):
    return json.loads((out / 'annotations' / f'{split}.json').read_text())


def check(content, out, images, boxes):
    """Every image and box against what the generator wrote."""
    assert content['categories'] == [dict(id=1, name='pedestrian')]
    assert [video['name'] for video in content['videos']] == list(boxes)
    assert [image['video_id'] for image in content['images']] == [
        v['id'] for v in content['videos']
    ]
    expected = []
    for video, image, name in zip(content['videos'], content['images'], boxes):
        assert image['file_name'] == f'Images/{name}.jpg'
        assert (out / image['file_name']).read_bytes() == images[name][0]
        assert (image['width'], image['height']) == images[name][1]
        assert (video['width'], video['height']) == images[name][1]
        assert (image['frame_id'], image['mot_frame_id']) == (0, 1)
        for index, entry in enumerate(boxes[name]):
            if min(entry['fbox'][2:]) > 0:
                crowd = entry['tag'] == 'mask' or entry.get('extra', {}).get('ignore') == 1
                expected.append((image['id'], index, entry['fbox'], int(crowd)))
    annotations = content['annotations']
    assert expected == [
        (a['image_id'], a['mot_instance_id'], a['bbox'], a['iscrowd']) for a in annotations
    ]
    assert len({a['instance_id'] for a in annotations}) == len(annotations)
    assert [a['id'] for a in annotations] == list(range(1, len(annotations) + 1))
    assert {a['category_id'] for a in annotations} == {1}


def test_val(download, six, tmp_path, capsys):
    """Sizes are those that OpenCV finds; ignored people; an image without boxes; a table."""
    src, images, boxes = download
    out = tmp_path / 'data'
    assert prepare(src, '--out', out) == 0
    check(load(out), out, images, boxes)
    shown = capsys.readouterr().out
    (line,) = (line for line in shown.splitlines() if line.strip().startswith('val'))
    # of the boxes of five images 3 are people, 3 are ignored
    assert line.split()[:6] == ['val', '6', 'of', '6', '15', '15']
    assert 'left out' not in shown
    assert sorted(f.name for f in out.iterdir()) == ['Images', 'annotations']


def test_dataset_reads_it(download, six, tmp_path):
    """Frames load with the annotated size, the turned one too; boxes beyond the image stay."""
    src, images, boxes = download
    out = tmp_path / 'data'
    assert prepare(src, '--out', out) == 0
    dataset = MOTVideoDataset(
        data_root=str(out),
        ann_file='annotations/val.json',
        data_prefix=dict(img_path=''),
        pipeline=[],
        test_mode=True,
    )
    assert len(dataset) == 6
    load_frame = Compose([dict(type='lamotr_mm.LoadFrame')])
    for index, (name, entries) in enumerate(boxes.items()):
        (info,) = dataset.get_data_info(index)['images']
        assert load_frame(info)['img'].shape[1::-1] == images[name][1]
        assert [i['bbox'] for i in info['instances']] == [
            [x, y, x + w, y + h] for x, y, w, h in (entry['fbox'] for entry in entries)
        ]
        assert [i['ignore_flag'] for i in info['instances']] == ([0, 0, 1, 1, 1, 0] * (index != 1))


def test_size_of_a_turned_image(tmp_path):
    """Each EXIF orientation, and EXIF data that is broken, as OpenCV takes them."""
    image = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    for orientation in range(10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(tmp_path / 'x.jpg', exif=exif)
        shape = cv2.imread(str(tmp_path / 'x.jpg')).shape
        assert crowdhuman.image_size(tmp_path / 'x.jpg') == shape[1::-1]
    # without a resolution, Pillow meets the broken data while opening and forgives
    image.save(tmp_path / 'x.jpg', exif=b'Exif\0\0broken', dpi=(72, 72))
    assert crowdhuman.image_size(tmp_path / 'x.jpg') == (30, 20)


def test_a_second_call_unpacks_nothing(download, six, tmp_path, monkeypatch):
    """Nor does one after a stop, of what is there."""
    src, images, boxes = download
    out = tmp_path / 'data'
    copy, names = Archive.copy, []

    def stop(self, member, target):
        names.append(member)
        copy(self, member, target)
        if len(names) == 3:
            target.write_bytes(b'half')
            raise KeyboardInterrupt

    monkeypatch.setattr(Archive, 'copy', stop)
    assert prepare(src, '--out', out) == 130
    there = {f.name: f.read_bytes() for f in (out / 'Images').iterdir()}
    assert len(there) == 2
    assert all(images[name[:-4]][0] == data for name, data in there.items())
    assert not (out / 'annotations').exists()
    assert prepare(src, '--out', out) == 0
    check(load(out), out, images, boxes)
    assert len(names) == 7 and len(set(names)) == 6

    stamps = {f: f.stat().st_mtime_ns for f in (out / 'Images').iterdir()}
    (src / 'CrowdHuman_val.zip').unlink()
    assert prepare(src, '--out', out) == 0
    assert {f: f.stat().st_mtime_ns for f in (out / 'Images').iterdir()} == stamps
    assert len(names) == 7


def test_folders_are_linked(six, tmp_path):
    """Unpacked elsewhere, and in data/crowdhuman itself; a moved source is linked anew."""
    images, boxes = make_images()
    write(tmp_path / 'src', images, boxes, packed=False)
    out = tmp_path / 'data'
    assert prepare(tmp_path / 'src', '--out', out) == 0
    check(load(out), out, images, boxes)
    assert all(file.is_symlink() for file in (out / 'Images').iterdir())
    (tmp_path / 'src').rename(tmp_path / 'moved')
    assert prepare(tmp_path / 'moved', '--out', out) == 0
    check(load(out), out, images, boxes)

    inside = tmp_path / 'inside'
    write(inside, images, boxes, packed=False)
    assert prepare(inside, '--out', inside) == 0
    inside.rename(tmp_path / 'other')
    check(load(tmp_path / 'other'), tmp_path / 'other', images, boxes)


def test_train_as_well(download, six, tmp_path):
    """Three archives; ids and images of the splits are apart; without val, val.json stays away."""
    src, images, boxes = download
    more = make_images(9, first=10)
    write(src, *more, split='train')
    out = tmp_path / 'data'
    assert prepare(src, '--out', out, '--splits', 'train') == 0
    check(load(out, 'train'), out, *more)
    assert not (out / 'annotations' / 'val.json').exists()
    assert prepare(src, '--out', out, '--splits', 'val', 'train') == 0
    check(load(out, 'train'), out, *more)
    check(load(out), out, images, boxes)


def test_wrong_numbers(download, tmp_path, capsys):
    """CrowdHuman has 4,370 images to validate on."""
    src, images, boxes = download
    out = tmp_path / 'data'
    assert prepare(src, '--out', out) == 1
    err = capsys.readouterr().err
    assert 'annotation_val.odgt has 6 images, CrowdHuman val has 4370: download it again' in err
    assert not out.exists()
    assert prepare(src, '--out', out, '--allow-partial') == 0
    check(load(out), out, images, boxes)
    assert '6 of 4370' in capsys.readouterr().out


def test_missing(download, six, tmp_path, capsys):
    """Annotations, archive, one image."""
    src, images, boxes = download
    out = tmp_path / 'data'
    assert prepare(tmp_path / 'none', '--out', out) == 1
    assert 'none does not exist' in capsys.readouterr().err
    assert prepare(src, '--out', out, '--splits', 'train') == 1
    err = capsys.readouterr().err
    assert 'annotation_train.odgt is missing: download it from https://www.crowdhuman.org' in err
    (src / 'CrowdHuman_val.zip').unlink()
    assert prepare(src, '--out', out, '--allow-partial') == 1
    err = capsys.readouterr().err
    assert '6 of 6 images are missing' in err and 'CrowdHuman_val.zip is not there' in err
    assert not out.exists()

    name = '273273,3a0d6000b9e1f5b7'
    write(src, {k: v for k, v in images.items() if k != name}, boxes)
    assert prepare(src, '--out', out) == 1
    assert f'1 of 6 images are missing in {src} ({name}.jpg)' in capsys.readouterr().err
    assert not out.exists()
    assert prepare(src, '--out', out, '--allow-partial') == 0
    assert 'left out: CrowdHuman val: 1 of 6 images' in capsys.readouterr().out
    check(load(out), out, images, {k: v for k, v in boxes.items() if k != name})

    # a split without any image: no json
    write(src, {}, {f'other{number}': [] for number in range(9)}, split='train')
    assert prepare(src, '--out', out, '--splits', 'val', 'train', '--allow-partial') == 0
    assert '9 of 9 images are missing' in capsys.readouterr().out
    assert [path.name for path in (out / 'annotations').iterdir()] == ['val.json']
    (src / 'annotation_val.odgt').write_text('')
    assert prepare(src, '--out', out, '--allow-partial') == 1
    assert 'annotation_val.odgt has no images: download it again' in capsys.readouterr().err


def test_boxes_to_skip_and_to_count(six, tmp_path, capsys):
    """No width or height: skipped; outside the image: kept. Both are counted."""
    images, boxes = make_images()
    name = next(iter(boxes))
    for index, fbox in enumerate([[1, 2, 0, 5], [1, 2, 5, -1], [90, 1, 5, 5], [1.5, 2, 5.25, 5]]):
        boxes[name][index]['fbox'] = fbox
    for entries in list(boxes.values())[2:]:
        entries.clear()
    for entry in boxes[name][4:]:
        entry['fbox'] = [-4, 5, 5, 6]
    write(tmp_path / 'src', images, boxes)
    assert prepare(tmp_path / 'src', '--out', tmp_path) == 0
    check(load(tmp_path), tmp_path, images, boxes)
    shown = capsys.readouterr().out
    (line,) = (line for line in shown.splitlines() if line.strip().startswith('val'))
    # people: the last box; ignored: 3; without size: 2; outside: 1
    assert line.split() == ['val', '6', 'of', '6', '1', '3', '2', '1']


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('{"ID": "x", "gtbo', 'JSONDecodeError'),
        ('<!DOCTYPE html>', 'JSONDecodeError'),
        ('[]', 'TypeError'),
        ('{"ID": "x"}', "KeyError('gtboxes')"),
        ('{"ID": "x", "gtboxes": [{"tag": "mask"}]}', "KeyError('fbox')"),
        ('{"ID": "x", "gtboxes": [{"tag": "person", "fbox": [1, 2, 3]}]}', 'ValueError'),
    ],
)
def test_broken_annotations(download, six, tmp_path, capsys, line, message):
    """File, line and what is wrong; nothing is unpacked."""
    src, _, _ = download
    lines = (src / 'annotation_val.odgt').read_text().splitlines()
    lines[3:3] = [line]
    (src / 'annotation_val.odgt').write_text('\n'.join(lines))
    assert prepare(src, '--out', tmp_path / 'data') == 1
    err = capsys.readouterr().err
    assert f'odgt:4: cut off or no annotation of CrowdHuman ({message}' in err
    assert err.count('error:') == 1 and 'download it again' in err
    assert not (tmp_path / 'data').exists()


def test_cut_off_zip(download, six, tmp_path, capsys):
    """An archive that is not needed may be in any state."""
    src, _, _ = download
    (src / 'CrowdHuman_train01.zip').write_bytes(b'half')
    assert prepare(src, '--out', tmp_path / 'whole') == 0
    zipped = src / 'CrowdHuman_val.zip'
    zipped.write_bytes(zipped.read_bytes()[:-100])
    assert prepare(src, '--out', tmp_path / 'data') == 1
    assert f'{zipped}: cut off or damaged' in capsys.readouterr().err
    assert not (tmp_path / 'data').exists()


def test_no_image(six, tmp_path, capsys):
    """Named; no json."""
    images, boxes = make_images()
    name = list(images)[2]
    images[name] = b'no image', None
    write(tmp_path / 'src', images, boxes)
    assert prepare(tmp_path / 'src', '--out', tmp_path / 'data') == 1
    assert f'Images/{name}.jpg: not a readable image: fetch it again' in capsys.readouterr().err
    assert not (tmp_path / 'data' / 'annotations').exists()
