"""Miniatures of the official downloads of video benchmarks, and what becomes of them."""

import importlib.util
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 24, 16


def prepare(name, *arguments):
    """Exit status of the tool."""
    file = ROOT / 'tools' / 'dataset_converters' / f'prepare_{name}.py'
    spec = importlib.util.spec_from_file_location(f'tool_prepare_{name}', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(list(map(str, arguments)))


def sequence(name, length=3, ids=(1, 2), annotated=True, digits=8, **suffixes):
    """Files of a sequence by their paths, and rows frame, id, x, y, w, h as they were drawn.

    Args:
        suffixes: `flag,class,visibility` of an id as ``id7='1,3,0.5'``; else 1,1,1.
    """
    rng = np.random.default_rng(sum(map(ord, name)))
    files = {
        f'{name}/seqinfo.ini': (
            f'[Sequence]\nname={name}\nimDir=img1\nframeRate=20\nseqLength={length}\n'
            f'imWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.jpg\n'
        ).encode()
    }
    for number in range(1, length + 1):
        image = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        files[f'{name}/img1/{number:0{digits}d}.jpg'] = cv2.imencode('.jpg', image)[1].tobytes()
    rows = [
        (frame, i, *np.round(rng.uniform(1, 12, 4), 2).tolist())
        for frame in range(1, length + 1)
        for i in ids
    ]
    if annotated:
        lines = [
            f'{", ".join(map(str, row))}, {suffixes.get(f"id{row[1]}", "1,1,1")}\r\n'
            for row in rows
        ]
        rng.shuffle(lines)
        files[f'{name}/gt/gt.txt'] = ''.join(lines).encode()
    return files, rows


def below(folder, files):
    return {f'{folder}/{path}': content for path, content in files.items()}


def merged(made):
    return {path: data for files, _ in made.values() for path, data in files.items()}


def write_zip(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in files.items():
            # folders have entries of their own
            if Path(name).name == 'seqinfo.ini':
                archive.writestr(f'{Path(name).parent}/', b'')
            archive.writestr(name, content)


def write_tar(path, files, source):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_files(source, files)
    with tarfile.open(path, 'w') as archive:
        for folder in sorted(source.iterdir()):
            archive.add(folder, f'./{folder.name}')
    shutil.rmtree(source)


def write_files(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def tree(folder):
    """Content of every file, by its path; links are followed."""
    return {
        (Path(root) / name).relative_to(folder).as_posix(): (Path(root) / name).read_bytes()
        for root, _, names in os.walk(folder, followlinks=True)
        for name in names
    }


def load(out, name):
    return json.loads((out / 'annotations' / f'{name}.json').read_text())


def rows_of(content, name, ignored=False):
    """Rows frame, id, x, y, w, h of a video."""
    (video,) = (video['id'] for video in content['videos'] if video['name'] == name)
    frames = {i['id']: i['mot_frame_id'] for i in content['images'] if i['video_id'] == video}
    return sorted(
        (frames[a['image_id']], a['mot_instance_id'], *a['bbox'])
        for a in content['annotations']
        if a['image_id'] in frames and a['iscrowd'] == ignored
    )


def check_split(out, split, made):
    """A json file and the frames it names, against what the generator wrote.

    Args:
        made (dict): Per sequence its files and rows; rows are {} where nothing is annotated.
    """
    content = load(out, split)
    assert [video['name'] for video in content['videos']] == sorted(made)
    paths = {image['file_name'] for image in content['images']}
    expected = below(split, {k: v for files, _ in made.values() for k, v in files.items()})
    assert paths == {path for path in expected if path.endswith('.jpg')}
    for path in paths:
        assert (out / path).read_bytes() == expected[path]
    assert {(i['width'], i['height']) for i in content['images']} == {(WIDTH, HEIGHT)}
    for name, (_, rows) in made.items():
        assert rows_of(content, name) == sorted(rows)
    identities = {(i, a['instance_id']) for i, a in _annotations(content)}
    assert (
        len({i for _, i in identities})
        == len(identities)
        == sum(len({row[1] for row in rows}) for _, rows in made.values())
    )


def _annotations(content):
    """Pairs of (video, original id) and annotation."""
    videos = {image['id']: image['video_id'] for image in content['images']}
    for a in content['annotations']:
        yield (videos[a['image_id']], a['mot_instance_id']), a
