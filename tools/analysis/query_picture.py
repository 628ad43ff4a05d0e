"""Draws object queries, tracklet queries and tracks under occlusion, as in Fig. 6.

    python tools/analysis/query_picture.py CONFIG CHECKPOINT [--video NAME] [--frames 1 5 9]

The video is one of the config's test data; it is tracked from its first frame to the last one that
is drawn. Without --frames the tool draws the heaviest overlap of two targets, and the frames
before and after it in which they are apart.
"""

import argparse
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from rich.progress import track

from lamotr_mm.apis.dataset_video import find_video, original_image
from lamotr_mm.apis.inferencer import default_device, init_model
from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.io.frame_meta import frame_number
from lamotr_mm.models import LAMOTR
from lamotr_mm.registry import DATASETS
from lamotr_mm.visualization.contact_sheet import write_png
from lamotr_mm.visualization.queries import (
    QueryFrame,
    draw_queries,
    find_occlusion,
    recorded_queries,
)


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Object and tracklet queries under occlusion')
    parser.add_argument('config', help='config file, for example configs/lamotr_pets.py')
    parser.add_argument('checkpoint', help='weights, for example demo/weights/lamotr_pets.pth')
    parser.add_argument('--video', help="of the config's test data; default: the first one")
    parser.add_argument('--frames', type=int, nargs='+', help='default: around an occlusion')
    parser.add_argument('--out', default='queries.png', help='picture (default queries.png)')
    parser.add_argument('--device', default=default_device(), help='default: a GPU if there is one')
    parser.add_argument('--width', type=int, default=560, help='of a picture in a row, px')
    add_cfg_options(parser)
    return parser


def track_video(model: LAMOTR, dataset: BaseDataset, video: int, last: int | None) -> list[dict]:
    """Tracks a video up to the frame number `last`.

    Returns:
        list[dict]: ``index`` of each frame, its ``queries`` (`QueryFrame`) and its ``targets``
        ((ids, boxes xyxy px) of the ground truth, or of the tracks where there is none).
    """
    frames = []
    model.reset()
    with recorded_queries(model.lifecycle) as seen:
        for index in track(range(dataset.get_len_per_video(video)), 'frames'):
            data = pseudo_collate([dataset[video, index]])
            sample = model.test_step(data)[0][0]
            number = frame_number(sample.metainfo)
            queries = QueryFrame.of(number, *seen.pop(), sample.pred_track_instances)
            frames.append(dict(index=index, queries=queries, targets=targets(sample, queries)))
            if number == last:
                break
    return frames


def targets(sample, queries: QueryFrame) -> tuple[np.ndarray, np.ndarray]:
    """Ids ``(n,)`` and boxes ``(n, 4)`` xyxy px of a frame's targets."""
    instances = [i for i in sample.metainfo.get('instances', []) if not i.get('ignore_flag')]
    if not instances:
        return queries.track_ids, queries.track_boxes_xyxy
    ids = np.array([instance['instance_id'] for instance in instances])
    return ids, np.array([instance['bbox'] for instance in instances], dtype=np.float64)


def choose(frames: list[dict], numbers: list[int] | None) -> list[dict]:
    """The frames to draw.

    Raises:
        ValueError: a number is not in the video, or there is no overlap to be found.
    """
    by_number = {frame['queries'].number: frame for frame in frames}
    if numbers is None:
        numbers = find_occlusion([(n, *frame['targets']) for n, frame in by_number.items()])
        if not numbers:
            raise ValueError(
                'no two targets overlap in this video: name --frames, or another --video'
            )
    missing = [number for number in numbers if number not in by_number]
    if missing:
        raise ValueError(
            f'--frames {missing[0]}: the video has {min(by_number)} to {max(by_number)}'
        )
    return [by_number[number] for number in numbers]


def draw(config: Config, args: argparse.Namespace) -> list[int]:
    """Writes the picture; returns the numbers of the frames in it."""
    model = init_model(config, args.checkpoint, args.device)
    dataset = DATASETS.build(config.test_dataloader.dataset)
    video = find_video(dataset, args.video)
    frames = track_video(model, dataset, video, max(args.frames) if args.frames else None)
    chosen = choose(frames, args.frames)
    images = [original_image(dataset[video, frame['index']]) for frame in chosen]
    queries = [frame['queries'] for frame in chosen]
    write_png(args.out, draw_queries(images, queries, args.width))
    return [frame.number for frame in queries]


def main(argv: list[str] | None = None) -> None:
    """Draw; a wrong argument prints one line and exits with status 2."""
    parser = make_parser()
    args = parse_args(parser, argv)
    if Path(args.out).suffix != '.png' or args.width < 1:
        parser.error(f'--out {args.out} should end in .png, --width {args.width} be 1 or more')
    try:
        numbers = draw(load_config(args.config, args.cfg_options), args)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f'{args.out}: frames {", ".join(map(str, numbers))}')


if __name__ == '__main__':
    main()
