"""docs/custom_dataset.md, followed word by word on a small data set of two classes."""

import importlib.util
import json
import re
import shlex
import shutil
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.visualization import TrackLocalVisualizer
from mmengine.config import Config

from lamotr_mm.io.video_writer import VideoWriter
from lamotr_mm.preparation.annotation_checks import check_annotations
from lamotr_mm.registry import DATASETS, METRICS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'custom_dataset.md').read_text()
FRAMES = 2
# id: class, first x and y, width, height, step in x, colour
TARGETS = {
    4: (1, 30, 40, 40, 30, 9, (30, 200, 230)),
    7: (2, 240, 120, 50, 40, -11, (40, 90, 200)),
    9: (1, 120, 180, 40, 30, 5, (30, 200, 230)),
}


def fences(language: str) -> list[str]:
    """Content of the page's blocks in a language."""
    return re.findall(rf'^```{language}\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Words of the commands in the page, in its order."""
    joined = re.sub(r'\\\n *', '', PAGE)
    return [shlex.split(line) for line in re.findall(r'^    (python .*)$', joined, re.MULTILINE)]


def draw(frame: int) -> np.ndarray:
    """``(240, 320, 3)`` uint8 BGR; `frame` from 0."""
    noise = np.random.default_rng(0).integers(90, 140, (24, 32, 3), dtype=np.uint8)
    image = cv2.resize(noise, (320, 240))
    for _, x, y, w, h, step, colour in TARGETS.values():
        corner = x + step * frame, y
        cv2.rectangle(image, corner, (corner[0] + w - 1, y + h - 1), colour, -1)
    return image


def make_video(folder: Path, as_images: bool) -> None:
    """A sequence as step 1 describes it."""
    (folder / 'gt').mkdir(parents=True)
    rows = [
        f'{frame + 1},{number},{x + step * frame},{y},{w},{h},1,{category},1'
        for number, (category, x, y, w, h, step, _) in TARGETS.items()
        for frame in range(FRAMES)
    ]
    (folder / 'gt' / 'gt.txt').write_text('\n'.join(rows))
    if as_images:
        (folder / 'img1').mkdir()
        for frame in range(FRAMES):
            cv2.imwrite(str(folder / 'img1' / f'{frame + 1:06d}.jpg'), draw(frame))
        return
    with VideoWriter(folder / f'{folder.name}.mp4', fps=10) as video:
        for frame in range(FRAMES):
            video.write(draw(frame))


@pytest.fixture(scope='module')
def hive(tmp_path_factory):
    """A copy of what the page uses of the repository, with the data that it describes."""
    folder = tmp_path_factory.mktemp('repository')
    shutil.copytree(ROOT / 'configs', folder / 'configs')
    (folder / 'demo').symlink_to(ROOT / 'demo')
    for name, as_images in (
        ('train/monday', True),
        ('train/tuesday', False),
        ('val/friday', False),
    ):
        make_video(folder / 'data' / 'hive' / name, as_images)
    for text in fences('python'):
        path = re.match(r'# (configs/\w+\.py)\n', text)[1]
        (folder / path).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # the config's visualizer has a name that others in this process have, too
        patch.setattr(TrackLocalVisualizer, '_instance_dict', OrderedDict())
        # loaders of the training are dropped in the next command: so long they wait per worker
        patch.setattr(torch.utils.data._utils, 'MP_STATUS_CHECK_INTERVAL', 0.1)
        yield folder


@pytest.fixture(scope='module')
def followed(hive):
    """After all commands, in their order; exit status of each."""
    statuses = []
    for program, script, *arguments in commands():
        assert program == 'python'
        spec = importlib.util.spec_from_file_location(f'tool_{Path(script).stem}', ROOT / script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        statuses.append((script, module.main(arguments)))
    return statuses


def test_the_layout_is_the_one_described(hive):
    tree = re.search(r'^    data/hive/\n(?:      .*\n)+', PAGE, re.MULTILINE)[0]
    split = ''
    for line in tree.splitlines()[1:]:
        word = line.split()[0]
        if word.endswith('/'):
            split = word
        else:
            assert (hive / 'data' / 'hive' / split / word).is_file()
    for row in re.findall(r'^    (\d+,.*)$', PAGE, re.MULTILINE):
        assert len(row.split(',')) == 9


def test_all_commands_succeed(followed):
    assert [(script, bool(status)) for script, status in followed] == [
        ('tools/dataset_converters/mot2cocovid.py', False),
        ('tools/check_dataset.py', False),
        ('tools/browse_clips.py', False),
        ('tools/train.py', False),
        ('tools/test.py', False),
        ('tools/track.py', False),
    ]


def test_json_has_both_classes(followed, hive):
    for split, videos in (('train', ['monday', 'tuesday']), ('val', ['friday'])):
        content = json.loads((hive / f'data/hive/annotations/{split}.json').read_text())
        assert [video['name'] for video in content['videos']] == videos
        assert [c['name'] for c in content['categories']] == ['bee', 'wasp']
        ids = [a['category_id'] for a in content['annotations']]
        assert (ids.count(1), ids.count(2)) == (2 * FRAMES * len(videos), FRAMES * len(videos))


def test_check_counts_them(followed, hive):
    sets = json.loads((hive / 'work_dirs/lamotr_hive/check.json').read_text())['sets']
    assert [part['splits'] for part in sets] == ['train', 'val, test']
    assert [len(part['problems']) for part in sets] == [0, 0]
    for part in sets:
        for video in part['videos']:
            assert (video['frames'], video['boxes'], video['ids']) == (FRAMES, 3 * FRAMES, 3)


def test_clips_are_drawn(followed, hive):
    pictures = list((hive / 'work_dirs/lamotr_hive/clips').iterdir())
    assert len(pictures) == 4
    assert all(cv2.imread(str(picture)) is not None for picture in pictures)


def test_scores_of_each_class(followed, hive):
    """The names that the page promises; results of the last validation and of the test."""
    promised = set(re.findall(r'`(track/[\w/]+)`', PAGE))
    assert {'track/HOTA', 'track/bee/HOTA', 'track/wasp/HOTA', 'track/friday/HOTA'} < promised
    results = sorted(hive.glob('work_dirs/lamotr_hive/*/*.json'))
    scores = [json.loads(path.read_text()) for path in results if path.parent.name == path.stem]
    assert scores and all(promised <= set(result) for result in scores)
    assert (hive / 'work_dirs/lamotr_hive/tracks/friday.txt').is_file()
    assert (hive / 'work_dirs/lamotr_hive/curves.png').is_file()


def test_tracks_are_written(followed, hive):
    assert (hive / 'friday.txt').is_file()
    capture = cv2.VideoCapture(str(hive / 'friday_tracked.mp4'))
    assert [capture.read()[0] for _ in range(FRAMES + 1)] == [True] * FRAMES + [False]


def test_large_config_fits_the_data(followed, hive):
    config = Config.fromfile('configs/lamotr_r50_hive.py')
    assert config.model.sotd_head.num_classes == 2
    for split, videos in (('train', 2), ('val', 1), ('test', 1)):
        loader = config[f'{split}_dataloader']
        dataset = DATASETS.build(dict(loader.dataset, pipeline=[]))
        assert len(dataset) == videos
        labels = {
            instance['bbox_label']
            for frame in dataset.get_data_info(0)['images']
            for instance in frame['instances']
        }
        assert labels == {0, 1}
    metric = METRICS.build(config.test_evaluator)
    metric.dataset_meta = dataset.metainfo
    assert metric.classes == ('bee', 'wasp')


def test_the_page_names_each_kind_of_problem():
    files = 'preparation/annotation_checks.py', 'preparation/checks.py', 'io/cocovid_json.py'
    text = ''.join((ROOT / 'lamotr_mm' / file).read_text() for file in files)
    kind = r"(?:_add\(|return |^ +\()\s*'([a-z][a-zA-Z0-9 ]+)',"
    kinds = set(re.findall(kind, text, re.MULTILINE))
    assert len(kinds) > 15
    table = PAGE.split('## 4.')[1].split('## 5.')[0]
    assert {kind for kind in kinds if f'`{kind}`' not in table} == set()


def test_json_of_the_page_is_complete(tmp_path):
    (text,) = fences('json')
    (tmp_path / 'a.json').write_text(text)
    report, images = check_annotations(str(tmp_path / 'a.json'), ('bee', 'wasp'), training=False)
    assert report.problems == []
    assert [image.frame for image in images] == [1]
