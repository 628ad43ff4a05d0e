"""Loss, association and tracking curves of a run, from the scalars that LocalVisBackend keeps.

From the shell: ``python -m lamotr_mm.visualization.curves WORK_DIR [OUT_PNG]``.
"""

import argparse
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lamotr_mm.io.files import replace_on_success

ASSOCIATION = ('asso_f1', 'asso_precision', 'asso_recall', 'asso_carried')
TRACKING = ('track/HOTA', 'track/DetA', 'track/AssA', 'track/MOTA', 'track/IDF1')


def find_scalars(work_dir: str | os.PathLike) -> list[Path]:
    """``<work_dir>/<timestamp>/vis_data/scalars.json`` of all runs there, oldest first."""
    return sorted(Path(work_dir).glob('*/vis_data/scalars.json'))


def read_scalars(files: Sequence[str | os.PathLike]) -> tuple[list[dict], list[dict]]:
    """Records of one training, also where it was resumed.

    A later file replaces what earlier ones hold from its first iteration on: the iterations that
    were repeated after the last checkpoint or, for a new run in the same folder, everything.

    Args:
        files (Sequence[str | os.PathLike]): ``scalars.json`` files, oldest first.

    Returns:
        tuple[list[dict], list[dict]]: Training and validation records, names without ``train/`` and
        ``val/``, each with ``iter``: for validation, the last training iteration logged before it.
    """
    train: list[dict] = []
    val: list[dict] = []
    for file in files:
        new_train, new_val = _read_one(Path(file), train[-1]['iter'] if train else 0)
        if new_train:
            first = new_train[0]['iter']
            train = [record for record in train if record['iter'] < first]
            val = [record for record in val if record['iter'] < first]
        train, val = train + new_train, val + new_val
    return train, val


def plot_curves(
    scalars_json: str | os.PathLike | Sequence[str | os.PathLike], out_png: str | os.PathLike
) -> None:
    """Draw losses, association and tracking scores over the iterations of a run.

    Args:
        scalars_json: A ``scalars.json`` file, or several of a resumed run, oldest first.
        out_png: The picture, which appears whole or not at all.

    Raises:
        FileNotFoundError: A file does not exist.
    """
    if isinstance(scalars_json, str | os.PathLike):
        scalars_json = [scalars_json]
    train, val = read_scalars(scalars_json)
    figure = Figure(figsize=(9, 11), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    losses, association, tracking = figure.subplots(3, 1, sharex=True)
    _draw_losses(losses, train)
    _draw_association(association, train, val)
    _draw_tracking(tracking, val)
    tracking.set_xlabel('iteration')
    tracking.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (losses, association, tracking):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc='upper left', bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9)
        else:
            axes.text(0.5, 0.5, 'nothing logged yet', ha='center', transform=axes.transAxes)
    with replace_on_success(out_png) as part:
        figure.savefig(part, format='png')


def _read_one(file: Path, last_iter: int) -> tuple[list[dict], list[dict]]:
    train, val = [], []
    for line in file.read_text().splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # a run that was killed while it wrote
            continue
        record = {re.sub('^(train|val)/', '', name): value for name, value in record.items()}
        if 'iter' in record:  # LoggerHook writes it while training only
            train.append(record)
            last_iter = record['iter']
        else:
            val.append({**record, 'iter': last_iter})
    return train, val


def _draw_losses(axes: Axes, train: list[dict]) -> None:
    """The total and its terms; those of earlier layers (``d0.loss_...``) are in the total only."""
    names = sorted({name for record in train for name in record if re.match('loss(_|$)', name)})
    for name in names:
        total = name == 'loss'
        _line(
            axes,
            train,
            name,
            'total' if total else name.removeprefix('loss_'),
            lw=2.5 if total else 1.2,
        )
    if names:
        axes.set_yscale('log')
    axes.set_ylabel('loss')


def _draw_association(axes: Axes, train: list[dict], val: list[dict]) -> None:
    for index, name in enumerate(ASSOCIATION):
        label = name.removeprefix('asso_')
        style = dict(color=f'C{index}', lw=2.5 if name == 'asso_f1' else 1.2)
        _line(axes, train, name, f'{label}, train', **style)
        _line(axes, val, name, f'{label}, val', marker='o', ms=4, ls='--', **style)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel('association at the gate')


def _draw_tracking(axes: Axes, val: list[dict]) -> None:
    for name in TRACKING:
        wide = 2.5 if name == 'track/HOTA' else 1.2
        _line(axes, val, name, name.removeprefix('track/'), marker='o', ms=4, lw=wide)
    axes.set_ylabel('tracking, validation (%)')


def _line(axes: Axes, records: list[dict], name: str, label: str, **style: Any) -> None:
    points = [(record['iter'], record[name]) for record in records if name in record]
    if points:
        axes.plot(*zip(*points), label=label, **style)


def main() -> None:
    """Draw the curves of a work folder or a ``scalars.json`` file."""
    parser = argparse.ArgumentParser(description='Loss and score curves of a training run')
    parser.add_argument('source', type=Path, help='work folder, or scalars.json')
    parser.add_argument('out', type=Path, nargs='?', help='picture (default: curves.png beside it)')
    args = parser.parse_args()
    files = find_scalars(args.source) if args.source.is_dir() else [args.source]
    if not files:
        parser.error(f'{args.source} has no */vis_data/scalars.json: was LocalVisBackend on?')
    folder = args.source if args.source.is_dir() else args.source.parent
    out = args.out or folder / 'curves.png'
    plot_curves(files, out)
    print(out)


if __name__ == '__main__':
    main()
