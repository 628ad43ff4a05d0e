"""Writes docs/config_reference.md from the docstrings: `python docs/_site/config_reference.py`.

Keys, defaults and meanings are those of the constructors, read by griffe without importing them.
"""

import sys
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'config_reference.md'
HEAD = """# Config keys

Every key of what this package registers, its default and what it means. `model.backbone` and
`model.neck`, hooks and data sets of mmdet and mmengine have their own documentation; which config
sets what is drawn in [configs.md](configs.md). `init_cfg` (mmengine's initialisation) is left out.

Written by `python docs/_site/config_reference.py` from the docstrings.
"""
# heading, key in a config, types with their modules below lamotr_mm
PARTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ('The model', 'model', ('models.LAMOTR',)),
    ('Encoder', 'model.encoder', ('models.layers.encoder.FeatureEncoder',)),
    ('Proposals', 'model.proposals', ('models.DenseProposals',)),
    ('Detection', 'model.sotd_head', ('models.SOTDHead', 'models.DeformableSOTDHead')),
    (
        'Association',
        'model.sgla',
        (
            'models.SGLA',
            'models.NoAssociation',
            'models.IoUAssociation',
            'models.FeatureAssociation',
            'models.CombinedAssociation',
        ),
    ),
    (
        'Tracklet update',
        'model.tracklet_update',
        ('models.TrackletUpdate', 'models.TemporalAggregation', 'models.TemporalInteraction'),
    ),
    (
        'Losses',
        'model.criterion',
        (
            'models.DecoupledTrackingLoss',
            'models.SingleDecoderLoss',
            'models.ContrastiveTrackingLoss',
        ),
    ),
    (
        'Tracklets in training',
        'model.clip_tracklets',
        ('models.clip_tracklets.ClipTracklets',),
    ),
    (
        'Life of a track at inference',
        'model.lifecycle',
        ('tracking.Lifecycle', 'tracking.TwoStageLifecycle'),
    ),
    ('Backbone', 'model.backbone', ('models.FoldedMobileNetV2',)),
    (
        'Other trackers',
        'model',
        (
            'peers.DetectionsOf',
            'peers.GivenDetections',
            'peers.PerfectIds',
            'peers.OnlineStrongSORT',
            'peers.MotionStrongSORTTracker',
            'peers.NoAppearance',
        ),
    ),
    (
        'Data sets',
        '*_dataloader.dataset',
        (
            'datasets.MOTVideoDataset',
            'datasets.ConcatVideoDataset',
            'datasets.SyntheticVideoDataset',
        ),
    ),
    ('Sampler', 'train_dataloader.sampler', ('datasets.VideoFrameSampler',)),
    (
        'Transforms',
        '*_dataloader.dataset.pipeline',
        (
            'datasets.ClipSampler',
            'datasets.CopyPasteTracks',
            'datasets.LoadFrame',
            'datasets.LoadSyntheticFrame',
            'datasets.RepeatedRandomShift',
        ),
    ),
    ('Metric', 'val_evaluator', ('evaluation.TrackingMetric',)),
    (
        'Hooks',
        'custom_hooks, default_hooks',
        (
            'engine.hooks.AssociationMetricHook',
            'engine.hooks.CheckpointFitHook',
            'engine.hooks.CheckpointHook',
            'engine.hooks.ConvertedWeightsHook',
            'engine.hooks.EarlyStoppingHook',
            'engine.hooks.FiniteLossHook',
            'engine.hooks.FrozenNormHook',
            'engine.hooks.SeedHook',
            'engine.hooks.TrackVisualizationHook',
        ),
    ),
    (
        'Optimisation',
        'optim_wrapper',
        ('engine.optim.BFloat16OptimWrapper', 'engine.optim.FewGroupsConstructor'),
    ),
)
UNSAID = ('self', 'init_cfg')


def load() -> griffe.Object:
    """The package, its docstrings as Markdown."""
    sys.path.insert(0, str(ROOT / 'docs' / '_site'))
    try:
        from docstrings import Docstrings
    finally:
        sys.path.pop(0)
    return griffe.load(
        'lamotr_mm',
        search_paths=[str(ROOT)],
        extensions=griffe.load_extensions(Docstrings()),
        allow_inspection=False,
        resolve_aliases=True,
        docstring_parser='google',
    )


def cell(text: object) -> str:
    """In one line of a table."""
    return ' '.join(str(text).split()).replace('|', '\\|')


def described(kind: griffe.Class) -> dict[str, str]:
    """Name -> meaning, of the arguments that the docstring lists."""
    sections = kind.docstring.parse() if kind.docstring else []
    return {
        parameter.name: parameter.description
        for section in sections
        if section.kind is griffe.DocstringSectionKind.parameters
        for parameter in section.value
    }


def table(kind: griffe.Class, inherited: dict[str, str]) -> list[str]:
    """A row for each argument; ``inherited``: meanings from the base class."""
    said = inherited | described(kind)
    rows = []
    for parameter in kind.parameters:
        if parameter.name in UNSAID or parameter.name.startswith('*'):
            continue
        if parameter.kind and parameter.kind.name.startswith('var_'):
            continue
        default = '' if parameter.default is None else f'`{cell(parameter.default)}`'
        meaning = said.get(parameter.name, '')
        rows.append(f'| `{parameter.name}` | {default} | {cell(meaning)} |')
    return ['| key | default | meaning |', '| --- | --- | --- |', *rows] if rows else []


def page(package: griffe.Object) -> str:
    """The whole page."""
    lines = [HEAD]
    for heading, key, types in PARTS:
        lines += [f'## {heading}', '', f'In configs: `{key}`.', '']
        inherited: dict[str, str] = {}
        for path in types:
            kind = package[path]
            kind = kind.final_target if kind.is_alias else kind
            inherited = inherited | described(kind)
            summary = kind.docstring.value.split('\n\n')[0] if kind.docstring else ''
            lines += [f'### {kind.name}', '', ' '.join(summary.split()), '']
            rows = table(kind, inherited)
            lines += [*rows, ''] if rows else []
    return '\n'.join(lines).rstrip() + '\n'


if __name__ == '__main__':
    PAGE.write_text(page(load()))
