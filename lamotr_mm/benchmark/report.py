"""One table as a page, as Markdown and as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from lamotr_mm.evaluation import table_cells
from lamotr_mm.io.files import replace_on_success

from .disagreement import Strip
from .pictures import pictures
from .statistics import METRICS, Estimate
from .table import Table, TableRow, best

SHOWN = ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDF1', 'IDSW')
MARKS = {'+': '▲', '-': '▼', '': ''}


class Facts(NamedTuple):
    """What a reader has to know beside the numbers.

    Attributes:
        title: heading.
        facts: name -> text, such as hardware and budget.
    """

    title: str
    facts: dict[str, str]


def write_report(folder: Path, table: Table, facts: Facts, strips: Sequence[Strip]) -> list[Path]:
    """Write ``report.html``, ``report.md`` and ``report.csv``; each is whole or absent.

    Args:
        folder: made if it is missing.
        table, facts: what to show.
        strips: frames where rows disagree.
    """
    texts = dict(
        html=as_html(table, facts, strips), md=as_markdown(table, facts), csv=as_csv(table)
    )
    files = []
    for suffix, text in texts.items():
        files.append(folder / f'report.{suffix}')
        with replace_on_success(files[-1]) as part:
            part.write_text(text)
    return files


def number(metric: str, value: float) -> str:
    """One decimal, none for a count."""
    return f'{value:.0f}' if metric in ('IDSW', 'FP', 'FN') else f'{value:.1f}'


def cell(metric: str, score: Estimate, mark: str = '') -> str:
    """Mean, deviation over seeds and mark: ``41.8 ± 0.7 ▲``."""
    spread = '' if score.deviation is None else f' ± {number(metric, score.deviation)}'
    return f'{number(metric, score.mean)}{spread}{" " if mark else ""}{MARKS[mark]}'


def interval(metric: str, score: Estimate) -> str:
    """``39.0 to 44.1``, or '' for one sequence."""
    if score.low is None or score.high is None:
        return ''
    return f'{number(metric, score.low)} to {number(metric, score.high)}'


def others(row: TableRow) -> list[str]:
    """Parameters, frames per second and minutes of training; '' for what is not known."""
    return [
        '' if row.parameters is None else f'{row.parameters / 1e6:.2f}M',
        '' if row.fps is None else f'{row.fps:.1f}',
        '' if row.minutes is None else f'{row.minutes:.0f}' if row.minutes >= 1 else '< 1',
    ]


def of_sequences(table: Table) -> dict[str, list[tuple[str, list[str]]]]:
    """Sequence -> (row, cells of `METRICS`), means over seeds."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for name in table.sequences if len(table.sequences) > 1 else []:
        lines = []
        for row in table.filled():
            scores = [table.per_seed[row.name, seed][name] for seed in row.seeds]
            cells = table_cells(scores[0], METRICS, decimals=1)
            if len(scores) > 1:
                means = {m: sum(s[m] for s in scores) / len(scores) for m in METRICS}
                cells = [c if c == '-' else number(m, means[m]) for m, c in zip(METRICS, cells)]
            lines.append((row.name, cells))
        found[name] = lines
    return found


def explanations(table: Table) -> list[str]:
    """What spreads and marks mean, in sentences."""
    compared = (
        f'No row is marked: {table.no_marks}.'
        if table.no_marks
        else f'▲ better and ▼ worse than {table.reference}: the interval of the difference leaves '
        '0 out, at 95 % divided among the rows that are compared. No mark: it may be chance.'
    )
    return [
        'Scores are by TrackEval, of all sequences together, in percent (IDSW: a count). After ±: '
        'standard deviation over seeds, where there are several.',
        'Intervals: 95 %, by a bootstrap over sequences and seeds.',
        compared,
        'Bold: the best mean. A row in italics knows the ground truth; it takes no part in this.',
        'Parameters: all, frozen ones too. FPS: from prepared image to tracks, measured one row '
        'after the other (on a CPU: time of one thread); a row on detections of another has '
        'their time in it. Training: mean of the seeds, beside what else ran at the time.',
    ]


def as_markdown(table: Table, facts: Facts) -> str:
    """The tables as Markdown."""
    lines = [f'# {facts.title}', '']
    lines += [f'- {name}: {text}' for name, text in facts.facts.items()]
    top = best(table.rows)
    head = ['row', *SHOWN, 'HOTA, 95 %', 'parameters', 'FPS', 'training, min']
    lines += ['', *_markdown_rows([head, ['---'] * len(head)])]
    for row in table.rows:
        name = f'*{row.name}*' if row.oracle else row.name
        if row.counts is None:
            lines += _markdown_rows(
                [[f'{name}: **{_plain(row.reason)}**', *[''] * (len(head) - 1)]]
            )
            continue
        cells = []
        for metric in SHOWN:
            text = cell(metric, row.scores[metric], row.marks.get(metric, ''))
            cells.append(f'**{text}**' if row.name in top.get(metric, ()) else text)
        name += f' ({_plain(row.reason)})' if row.reason else ''
        cells += [interval('HOTA', row.scores['HOTA']), *others(row)]
        lines += _markdown_rows([[name, *cells]])
    lines += ['', *explanations(table)]
    for name, rows in of_sequences(table).items():
        lines += ['', f'## {name}', '']
        lines += _markdown_rows([['row', *METRICS], ['---'] * (1 + len(METRICS))])
        lines += _markdown_rows([[row, *cells] for row, cells in rows])
    return '\n'.join(lines) + '\n'


def _markdown_rows(rows: list[list[str]]) -> list[str]:
    return [f'| {" | ".join(row)} |' for row in rows]


def _plain(text: str) -> str:
    return text.replace('|', '/').replace('\n', ' ')


def as_csv(table: Table) -> str:
    """A line for each row, seed and sequence; seed 'mean' has spreads and intervals, too."""
    spreads = [f'{metric}_{what}' for metric in METRICS for what in ('std', 'low', 'high')]
    names = ['row', 'detections', 'seed', 'sequence', *METRICS, *spreads]
    names += ['marks', 'parameters', 'fps', 'training_minutes', 'reason']
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval='', lineterminator='\n')
    writer.writeheader()
    for row in table.rows:
        common: dict[str, Any] = dict(row=row.name, detections=row.detections)
        mean = common | dict(seed='mean', sequence='all', reason=row.reason)
        mean |= dict(parameters=row.parameters, fps=row.fps, training_minutes=row.minutes)
        mean['marks'] = ' '.join(f'{metric}{mark}' for metric, mark in row.marks.items() if mark)
        for metric, score in row.scores.items():
            mean[metric] = score.mean
            mean |= {
                f'{metric}_std': score.deviation,
                f'{metric}_low': score.low,
                f'{metric}_high': score.high,
            }
        writer.writerow(mean)
        for seed in row.seeds:
            for name, scores in table.per_seed[row.name, seed].items():
                values = {metric: scores[metric] for metric in METRICS}
                seed_name = 'given weights' if seed is None else seed
                writer.writerow(common | dict(seed=seed_name, sequence=name) | values)
    return text.getvalue()


def as_html(table: Table, facts: Facts, strips: Sequence[Strip]) -> str:
    """A page that needs nothing else: style, script and pictures are inside."""
    environment = Environment(
        loader=PackageLoader('lamotr_mm.benchmark', '.'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    top = best(table.rows)
    rows = []
    for row in table.rows:
        cells = [
            dict(
                text=cell(metric, row.scores[metric], row.marks.get(metric, '')),
                interval=interval(metric, row.scores[metric]),
                best=row.name in top.get(metric, ()),
            )
            for metric in (SHOWN if row.counts is not None else ())
        ]
        rows.append(dict(row=row, cells=cells, others=others(row)))
    return environment.get_template('report.html.j2').render(
        title=facts.title,
        facts=facts.facts,
        metrics=SHOWN,
        all_metrics=METRICS,
        rows=rows,
        explanations=explanations(table),
        pictures=pictures(table),
        strips=strips,
        sequences=of_sequences(table),
    )
