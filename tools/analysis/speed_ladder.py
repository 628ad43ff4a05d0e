"""Configs from the heaviest to the lightest: parameters, operations, time by stage; a table and a
picture. `python tools/analysis/speed_ladder.py --out ladder.png`; random weights are as fast.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lamotr_mm.apis.benchmark import count_parameters, measure
from lamotr_mm.apis.flops import count_flops
from lamotr_mm.apis.inferencer import build_pipeline, init_model, prepare_frames
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.models import LAMOTR
from lamotr_mm.models.folding import fold
from lamotr_mm.models.precision import PRECISIONS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
LADDER = (
    'lamotr_dancetrack',
    'lamotr_lite_r50_dancetrack',
    'lamotr_lite_r18_dancetrack',
    'lamotr_lite_mobilenetv2_dancetrack',
    'lamotr_pets',
    'lamotr_lite_people',
)
# the others take less than 1 ms
SHOWN = ('backbone', 'neck', 'encoder', 'proposals', 'sotd', 'sgla')
REAL_TIME = 15  # frames per second


def make_parser() -> argparse.ArgumentParser:
    """Command line."""
    parser = argparse.ArgumentParser(description='Configs from the heaviest to the lightest')
    parser.add_argument(
        'configs', nargs='*', default=[str(CONFIGS / f'{name}.py') for name in LADDER]
    )
    parser.add_argument(
        '--frame',
        type=int,
        nargs=2,
        default=(576, 768),
        metavar=('H', 'W'),
        help='of the video, px',
    )
    parser.add_argument('--tracklets', type=int, default=20, help='live tracklets')
    parser.add_argument('--threads', type=int, nargs='+', default=(1, 2), help='that torch uses')
    parser.add_argument(
        '--cpu-time',
        action='store_true',
        help='of this process, where other work shares the cores; needs --threads 1',
    )
    parser.add_argument('--precision', choices=PRECISIONS, default='fp32')
    parser.add_argument('--repeat', type=int, default=5, help='frames counted, after one more')
    parser.add_argument(
        '--hota', nargs='+', default=(), metavar='CONFIG=HOTA', help='of those that are trained'
    )
    parser.add_argument('--json', help='file for the result; what it holds is not measured again')
    parser.add_argument('--out', help='PNG')
    return parser


def network_size(model: LAMOTR, frame: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in px of the network's input for frames of this (height, width): what the
    config's test pipeline and padding make of them.
    """
    image = np.zeros((*frame, 3), np.uint8)
    prepared = next(prepare_frames(model, [(1, image)], build_pipeline(model.cfg)))
    height, width = prepared.data['inputs'].shape[-2:]
    return height, width


def rung(config: str, args: argparse.Namespace, known: dict) -> dict:
    """One config: ``size`` in px, ``parameters`` and ``flops`` by part, ``ms`` by threads and
    stage. What is ``known`` of it already is not measured again.
    """
    times = dict(known.get('ms', {}))
    missing = [threads for threads in args.threads if str(threads) not in times]
    if not missing:
        return known
    model = init_model(config, precision=args.precision)
    size = network_size(model, tuple(args.frame))
    flops = count_flops(model, size, args.tracklets)
    result = dict(size=size, parameters=count_parameters(model), flops=flops)
    fold(model)
    clock = time.process_time if args.cpu_time else time.perf_counter
    for threads in missing:
        torch.set_num_threads(threads)
        times[str(threads)] = measure(model, size, args.tracklets, args.repeat, clock)
    return dict(result, ms=times)


def table(rungs: dict[str, dict], threads: Sequence[int], hota: dict[str, float]) -> str:
    """Markdown, a row for each config and number of threads."""
    head = ('config', 'input', 'parameters', 'GFLOPs', 'threads', *SHOWN, 'frame', 'HOTA')
    lines = [head, ['---'] * len(head)]
    for name, result in rungs.items():
        height, width = result['size']
        for number in threads:
            ms = result['ms'][str(number)]
            lines.append(
                [
                    f'`{name}`',
                    f'{height}x{width}',
                    f'{_millions(result):.1f}M',
                    f'{result["flops"]["total"] / 1e9:.1f}',
                    str(number),
                    *(f'{ms[stage]:.0f}' if stage in ms else '' for stage in SHOWN),
                    f'{ms["total"]:.0f}',
                    f'{hota[name]:.1f}' if name in hota else 'untrained',
                ]
            )
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def draw(rungs: dict[str, dict], threads: Sequence[int], hota: dict[str, float], path: str) -> None:
    """Frames per second against parameters, a line for each number of threads; full dots are
    trained.
    """
    figure = Figure(figsize=(9, 5), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for index, number in enumerate(threads):
        points = [
            (1000 / result['ms'][str(number)]['total'], _millions(result))
            for result in rungs.values()
        ]
        faces = [f'C{index}' if name in hota else 'white' for name in rungs]
        axes.plot(*zip(*points), color=f'C{index}', label=f'{number} thread(s)', zorder=1)
        axes.scatter(*zip(*points), color=faces, edgecolors=f'C{index}', s=50, zorder=2)
    for index, (name, result) in enumerate(rungs.items()):
        _name(axes, name, result, hota, above=index % 2 == 0)
    axes.axvline(REAL_TIME, color='0.6', ls='--', lw=1)
    axes.set(xscale='log', yscale='log', xlabel='frames per second (network and lifecycle)')
    axes.set_ylabel('parameters, millions')
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
        axis.set_minor_formatter(NullFormatter())
    axes.margins(0.15)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, title='full: trained; open: untrained')
    with replace_on_success(path) as part:
        figure.savefig(part, format='png')


def _millions(result: dict) -> float:
    return (result['parameters']['total'] + result['parameters']['frozen']) / 1e6


def _name(axes: Axes, name: str, result: dict, hota: dict[str, float], above: bool) -> None:
    """Above the fastest point or below it, in turn: neighbours may lie close together."""
    fastest = max(1000 / ms['total'] for ms in result['ms'].values())
    text = name.removeprefix('lamotr_') + (f', HOTA {hota[name]:.1f}' if name in hota else '')
    axes.annotate(
        text,
        (fastest, _millions(result)),
        (8, 4 if above else -4),
        textcoords='offset points',
        va='bottom' if above else 'top',
        fontsize=8,
    )


def main(argv: list[str] | None = None) -> None:
    """Measure, print and draw; a bad config or value prints one line and exits with status 2."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if min(*args.frame, *args.threads, args.repeat) < 1 or args.tracklets < 0:
        parser.error('--frame, --threads and --repeat take whole numbers of 1 or more')
    if args.cpu_time and set(args.threads) != {1}:
        parser.error('--cpu-time adds up what several threads do at once: give --threads 1')
    try:
        hota = {name: float(value) for name, value in (text.split('=') for text in args.hota)}
    except ValueError:
        parser.error(f'--hota {" ".join(args.hota)}: write CONFIG=HOTA, as in lamotr_pets=25.7')
    kept = json.loads(Path(args.json).read_text()) if args.json and Path(args.json).exists() else {}
    rungs = {}
    for config in args.configs:
        name = Path(config).stem
        try:
            rungs[name] = rung(config, args, kept.get(name, {}))
        except ValueError as error:
            parser.error(str(error))
        if args.json:
            with replace_on_success(args.json) as part:
                part.write_text(json.dumps({**kept, **rungs}, indent=2) + '\n')
        total = rungs[name]['ms'][str(args.threads[0])]['total']
        print(f'{name}: {total:.0f} ms', file=sys.stderr)
    print(table(rungs, args.threads, hota))
    if args.out:
        draw(rungs, args.threads, hota, args.out)
        print(f'\n{args.out}')


if __name__ == '__main__':
    main()
