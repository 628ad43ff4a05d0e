"""The curves of the report, as SVG inside the page."""

import base64
import io
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from lamotr_mm.evaluation.counts import ALPHAS, hota_by_alpha, scores_of_counts
from lamotr_mm.visualization.draw_tracks import BASE_COLOURS

from .statistics import Estimate
from .table import Table, TableRow

# Okabe and Ito's; yellow is too pale for a line on white, black takes its place
COLOURS = [
    '#000000' if colour == (240, 228, 66) else '#{:02x}{:02x}{:02x}'.format(*colour)
    for colour in BASE_COLOURS
]
COLOURS = [COLOURS[4], COLOURS[5], COLOURS[2], COLOURS[6], COLOURS[0], COLOURS[1], COLOURS[3]]
MARKERS = 'osD^vP*Xp<>h'
DASHES = ('-', '--', '-.', ':')


def pictures(table: Table) -> list[tuple[str, str, str]]:
    """(name of a tab, what is seen, data URI of an SVG) of each picture that there is data for."""
    if not table.filled():
        return []
    groups = 'difficulty' if table.by_difficulty else 'sequence'
    return [
        (
            'HOTA over α',
            'HOTA at each localisation threshold α: the higher α, the tighter a box has to fit. '
            'The mean over α is the HOTA of the table.',
            _drawn(table, _draw_alpha),
        ),
        (
            f'HOTA over {groups}',
            f'HOTA by {groups}, mean over seeds; bars span the seeds.',
            _drawn(table, _draw_groups),
        ),
        (
            'AssA against DetA',
            'Association against detection, mean over seeds; bars are 95 % intervals. Along a grey '
            'line HOTA is about the same.',
            _drawn(table, _draw_plane),
        ),
    ]


def style(index: int) -> dict:
    """Colour, marker and dashes of a row, so that no two are told apart by colour alone."""
    return dict(
        color=COLOURS[index % len(COLOURS)],
        marker=MARKERS[index % len(MARKERS)],
        ls=DASHES[index // len(COLOURS) % len(DASHES)],
    )


def _drawn(table: Table, draw: Callable[[Axes, Table], None]) -> str:
    figure = Figure(figsize=(11.5, 4.7), layout='constrained')
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    draw(axes, table)
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(loc='upper left', bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9)
    text = io.StringIO()
    with matplotlib.rc_context({'svg.hashsalt': 'lamotr_mm'}):
        figure.savefig(text, format='svg', metadata={'Date': None})
    return f'data:image/svg+xml;base64,{base64.b64encode(text.getvalue().encode()).decode()}'


def _each(table: Table) -> list[tuple[int, TableRow, np.ndarray]]:
    """Place, row and counts of the rows with scores; the place gives the style."""
    return [(i, r, r.counts) for i, r in enumerate(table.rows) if r.counts is not None]


def _draw_alpha(axes: Axes, table: Table) -> None:
    for index, row, counts in _each(table):
        curve = hota_by_alpha(counts.sum(1))['HOTA'].mean(0)
        axes.plot(ALPHAS, curve, label=row.name, ms=5, lw=1.6, **style(index))
    axes.set(xlabel='localisation threshold α (IoU)', ylabel='HOTA (%)', xlim=(0.03, 0.97))
    axes.set_ylim(bottom=0)


def _draw_groups(axes: Axes, table: Table) -> None:
    groups = table.groups()
    for index, row, counts in _each(table):
        values = np.array([scores_of_counts(counts[:, p].sum(1))['HOTA'] for p in groups.values()])
        mean = values.mean(1)
        span = [mean - values.min(1), values.max(1) - mean]
        # side by side, so that bars can be told apart
        shift = (index - len(table.rows) / 2) * 0.4 / len(table.rows)
        places = np.arange(len(groups)) + shift
        axes.errorbar(places, mean, span, label=row.name, ms=6, capsize=2, **style(index))
    axes.set_xticks(range(len(groups)), list(groups), **_turned(list(groups)))
    axes.set(xlabel='difficulty' if table.by_difficulty else 'sequence', ylabel='HOTA (%)')
    axes.set_ylim(bottom=0)


def _turned(labels: Sequence[str]) -> dict:
    return dict(rotation=30, ha='right') if max(map(len, labels)) > 12 else {}


def _draw_plane(axes: Axes, table: Table) -> None:
    for index, row, _ in _each(table):
        det, ass = row.scores['DetA'], row.scores['AssA']
        look = style(index) | dict(ls='none')
        axes.errorbar(
            det.mean,
            ass.mean,
            yerr=_ends(ass),
            xerr=_ends(det),
            label=row.name,
            ms=9,
            alpha=0.9,
            elinewidth=0.8,
            **look,
        )
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    xs = np.linspace(max(left, 0.1), right, 100)
    for hota in range(5, 100, 5):
        ys = hota**2 / xs
        inside = (ys >= bottom) & (ys <= top)
        if inside.any():
            axes.plot(xs[inside], ys[inside], color='0.75', lw=0.8, zorder=0)
            end = np.flatnonzero(inside)[-1]
            axes.text(xs[end], ys[end], f'{hota}', color='0.45', fontsize=8)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel='DetA (%)', ylabel='AssA (%)')


def _ends(score: Estimate) -> list[list[float]] | None:
    """Lengths of the bars of an interval; none is below 0, the mean may lie outside of it."""
    if score.low is None or score.high is None:
        return None
    return [[max(0, score.mean - score.low)], [max(0, score.high - score.mean)]]
