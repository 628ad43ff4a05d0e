r"""Official detectors' checkpoints -> weights for ``load_from``; docs/weights.md.

    python tools/model_converters/detr2lamotr.py \
        checkpoint.pth data/pretrained/lamotr_dab-deformable-detr_r50.pth \
        --config configs/lamotr_dancetrack.py

DAB-Deformable-DETR, Deformable DETR with box refinement (official or mmdet 3.x) and MeMOTR are told
apart by the names of their tensors.
"""

import argparse
import re
import sys
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from lamotr_mm.engine.launch import add_cfg_options, load_config, parse_args
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.models import LAMOTR
from lamotr_mm.registry import MODELS
from lamotr_mm.weights.convert import Source, convert, read_source
from lamotr_mm.weights.layouts import Layout
from lamotr_mm.weights.rules import Conversion, Map, Rule, Skip


def build(path: str, options: dict | None) -> LAMOTR:
    """The model that a config describes, without weights to download.

    Raises:
        ValueError: the config can't be read or is not of LA-MOTR; names it.
    """
    config = load_config(path, options)
    init_default_scope(config.get('default_scope', 'mmdet'))
    if config.get('model', {}).get('type') not in ('LAMOTR', 'lamotr_mm.LAMOTR'):
        raise ValueError(f'config {path} has no model of type lamotr_mm.LAMOTR')
    return MODELS.build(config.model)


def describe(rule: Rule) -> tuple[str, str, str]:
    """Name in the file, name in the model, remark."""
    if isinstance(rule, Map):
        return rule.source, rule.target, rule.note
    if isinstance(rule, Skip):
        return rule.source, 'left out', rule.reason
    return '-', rule.target, f'0: {rule.reason}'


def group(names: list[str]) -> dict[str, int]:
    """Patterns of the names -> how many there are."""
    groups: dict[str, int] = {}
    for name in names:
        pattern = re.sub(r'(?<=\.)\d+(?=\.|$)', '*', name.rpartition('.')[0]) + '.**'
        groups[pattern] = groups.get(pattern, 0) + 1
    return groups


def report(layout: Layout, done: Conversion, source: Source) -> None:
    """Print what became of every tensor."""
    table = Table(title=f'{layout.name} -> LA-MOTR (* any number, ** any rest of a name)')
    for name in ('in the file', 'in the model', 'tensors', 'remark'):
        table.add_column(name, overflow='fold')
    for rule, count in sorted(done.applied, key=lambda item: isinstance(item[0], Skip)):
        name, target, remark = describe(rule)
        table.add_row(name, target, str(count), remark)
    table.add_section()
    for name, count in group(done.initial).items():
        table.add_row('-', name, str(count), 'keeps its initial value')
    Console().print(table)
    if source.others:
        print(f'entries of the file that are no weights: {", ".join(source.others)}')


def run(args: argparse.Namespace) -> None:
    """Convert; ValueError or OSError says what is wrong."""
    model = build(args.config, args.cfg_options)
    source = read_source(args.source)
    try:
        layout, done = convert(source.weights, model, args.class_rows)
    except ValueError as error:
        raise ValueError(f'{args.source} with {args.config}: {error}') from error
    meta = dict(converted_from=layout.name, file=args.source.name, sha256=source.sha256)
    with replace_on_success(args.out) as part:
        torch.save(dict(state_dict=done.state_dict, meta=meta), part)
        torch.load(part, weights_only=True)
    report(layout, done, source)
    print(
        f'{args.out}: {len(done.state_dict)} tensors, {len(done.skipped)} left out, '
        f'{len(done.initial)} of the model keep their initial values'
    )


def main(argv: list[str] | None = None) -> None:
    """Convert; what can't be converted prints one line and exits with status 2."""
    parser = argparse.ArgumentParser(description='Official detection weights -> load_from')
    parser.add_argument('source', type=Path, help='checkpoint of one of the projects')
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument('--config', required=True, help='config that will be trained')
    parser.add_argument(
        '--class-rows',
        type=int,
        nargs='+',
        help="for each class of the config, the row of the file's classifier that it starts from; "
        'default: people, for one class',
    )
    add_cfg_options(parser)
    args = parse_args(parser, argv)
    try:
        run(args)
    except (ValueError, OSError) as error:
        print(f'detr2lamotr.py: error: {error}', file=sys.stderr)
        sys.exit(2)


if __name__ == '__main__':
    main()
