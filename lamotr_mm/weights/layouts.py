"""How other projects name the tensors of their detectors, and which settings their weights need.

Read in the published code: IDEA-Research/DAB-DETR (``models/dab_deformable_detr``),
fundamentalvision/Deformable-DETR, MCG-NJU/MeMOTR, mmdet 3.x (``DeformableDETR``).
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .rules import Map, Rule, Skip, Zero, match
from .settings import Setting, settings_of


class Layout(NamedTuple):
    """One project's checkpoints.

    Attributes:
        name: of the project and the detector, for messages.
        markers: tensors that together only this layout has.
        rules: what becomes of each tensor; classifiers are added by :func:`class_rules`.
        classifier: pattern of the classification layers' tensors.
        boxes: pattern of the box layers' tensors, one after each decoder layer.
        person_row: rows of the classifier -> the row of people.
        settings: what the model must be set to.
    """

    name: str
    markers: tuple[str, ...]
    rules: tuple[Rule, ...]
    classifier: str
    boxes: str
    person_row: Mapping[int, int]
    settings: tuple[Setting, ...]


# ---------------------------------------------------------------- changes of values


def first_half(value: Tensor) -> Tensor:
    """Left half of the columns, ``(N, 2 d)`` -> ``(N, d)``."""
    return value[:, : value.shape[1] // 2]


def second_half(value: Tensor) -> Tensor:
    """Right half of the columns, ``(N, 2 d)`` -> ``(N, d)``."""
    return value[:, value.shape[1] // 2 :]


def swap_x_and_y(value: Tensor) -> Tensor:
    """Columns in four equal blocks, x, y, w, h -> y, x, w, h."""
    x, y, w, h = value.chunk(4, 1)
    return torch.cat([y, x, w, h], 1)


# ---------------------------------------------------------------- tables of names

# of the official transformer and of those made from it: self-attention comes first in the
# decoder's layers, but its norm is called norm2
TRANSFORMER = (
    Map('transformer.level_embed', 'encoder.level_embed'),
    Map('transformer.encoder.layers.*.self_attn.**', 'encoder.encoder.layers.*.self_attn.**'),
    Map('transformer.encoder.layers.*.norm1.**', 'encoder.encoder.layers.*.norms.0.**'),
    Map('transformer.encoder.layers.*.linear1.**', 'encoder.encoder.layers.*.ffn.layers.0.0.**'),
    Map('transformer.encoder.layers.*.linear2.**', 'encoder.encoder.layers.*.ffn.layers.1.**'),
    Map('transformer.encoder.layers.*.norm2.**', 'encoder.encoder.layers.*.norms.1.**'),
    Map(
        'transformer.decoder.layers.*.self_attn.**',
        'sotd_head.decoder.layers.*.self_attn.attn.**',
    ),
    Map('transformer.decoder.layers.*.norm2.**', 'sotd_head.decoder.layers.*.norms.0.**'),
    Map('transformer.decoder.layers.*.cross_attn.**', 'sotd_head.decoder.layers.*.cross_attn.**'),
    Map('transformer.decoder.layers.*.norm1.**', 'sotd_head.decoder.layers.*.norms.1.**'),
    Map('transformer.decoder.layers.*.linear1.**', 'sotd_head.decoder.layers.*.ffn.layers.0.0.**'),
    Map('transformer.decoder.layers.*.linear2.**', 'sotd_head.decoder.layers.*.ffn.layers.1.**'),
    Map('transformer.decoder.layers.*.norm3.**', 'sotd_head.decoder.layers.*.norms.2.**'),
    Map('bbox_embed.*.layers.0.**', 'sotd_head.reg_branches.*.0.**'),
    Map('bbox_embed.*.layers.1.**', 'sotd_head.reg_branches.*.2.**'),
    Map('bbox_embed.*.layers.2.**', 'sotd_head.reg_branches.*.4.**'),
    Skip('transformer.decoder.bbox_embed.**', 'a copy of bbox_embed', copy_of='bbox_embed.**'),
)
# the queries of DAB-Deformable-DETR ...
ANCHORS = (
    Map('transformer.decoder.query_scale.**', 'sotd_head.decoder.query_scale.**'),
    Map('transformer.decoder.ref_point_head.**', 'sotd_head.decoder.ref_point_head.**'),
)
# ... with MeMOTR's order of the anchors' encoding
ANCHORS_XYWH = (
    Map('transformer.decoder.query_scale.**', 'sotd_head.decoder.query_scale.**'),
    Map(
        'transformer.decoder.ref_point_head.layers.0.weight',
        'sotd_head.decoder.ref_point_head.layers.0.weight',
        swap_x_and_y,
        'columns of x, y, w, h -> y, x, w, h',
    ),
    Map(
        'transformer.decoder.ref_point_head.layers.0.bias',
        'sotd_head.decoder.ref_point_head.layers.0.bias',
    ),
    Map(
        'transformer.decoder.ref_point_head.layers.1.**',
        'sotd_head.decoder.ref_point_head.layers.1.**',
    ),
)
REFERENCE_POINTS = (
    Map('transformer.reference_points.**', 'sotd_head.decoder.reference_points.**'),
)
COUNTERS = Zero('backbone.**.num_batches_tracked', 'frozen normalisation does not count batches')


def image_rules(backbone: str, projections: str) -> tuple[Rule, ...]:
    """ResNet-50 with frozen batch normalisation, and the layers that bring it to one width."""
    return (
        Map(f'{backbone}.**', 'backbone.**'),
        COUNTERS,
        *(
            Map(f'{projections}.{level}.{part}.**', f'neck.{ours}.{name}.**')
            for level, ours in enumerate(['convs.0', 'convs.1', 'convs.2', 'extra_convs.0'])
            for part, name in enumerate(['conv', 'gn'])
        ),
    )


def query_rules(name: str) -> tuple[Rule, ...]:
    """Queries that are position and content side by side."""
    return (
        Map(name, 'sotd_head.position_embedding.weight', first_half, 'first half of the columns'),
        Map(name, 'sotd_head.query_embedding.weight', second_half, 'second half of the columns'),
    )


OFFICIAL_IMAGE = image_rules('backbone.0.body', 'input_proj')
MEMOTR_IMAGE = image_rules('backbone.backbone.backbone', 'feature_projs')
MEMORY = Skip('query_updater.**', "MeMOTR's memory of tracks: LA-MOTR updates tracklets otherwise")
MMDET = (
    Map('backbone.**', 'backbone.**'),
    COUNTERS,
    Map('neck.**', 'neck.**'),
    Zero('neck.convs.*.conv.bias', "mmdet's layers have no bias"),
    Zero('neck.extra_convs.*.conv.bias', "mmdet's layers have no bias"),
    Map('level_embed', 'encoder.level_embed'),
    Map('encoder.**', 'encoder.encoder.**'),
    Map('decoder.layers.**', 'sotd_head.decoder.layers.**'),
    Map('reference_points_fc.**', 'sotd_head.decoder.reference_points.**'),
    *query_rules('query_embedding.weight'),
    Map('bbox_head.reg_branches.**', 'sotd_head.reg_branches.**'),
)

# ---------------------------------------------------------------- the layouts

COCO_91 = {91: 1, 1: 0}  # rows are COCO's category ids, 1 is person
COCO_80 = {80: 0, 1: 0}
PERSON = {1: 0}

LAYOUTS = (
    Layout(
        'DAB-Deformable-DETR',
        ('tgt_embed.weight', 'refpoint_embed.weight', 'transformer.level_embed'),
        (
            *OFFICIAL_IMAGE,
            *TRANSFORMER,
            *ANCHORS,
            Map('tgt_embed.weight', 'sotd_head.query_embedding.weight'),
            Map('refpoint_embed.weight', 'sotd_head.anchor_embedding.weight'),
        ),
        'class_embed.*.**',
        'bbox_embed.*.**',
        COCO_91,
        settings_of('SOTDHead', anchor_eps=1e-3),
    ),
    Layout(
        'Deformable DETR',
        ('query_embed.weight', 'transformer.reference_points.weight', 'transformer.level_embed'),
        (*OFFICIAL_IMAGE, *TRANSFORMER, *REFERENCE_POINTS, *query_rules('query_embed.weight')),
        'class_embed.*.**',
        'bbox_embed.*.**',
        COCO_91,
        settings_of('DeformableSOTDHead', anchor_eps=1e-5),
    ),
    Layout(
        "mmdet's Deformable DETR",
        ('query_embedding.weight', 'reference_points_fc.weight', 'level_embed'),
        MMDET,
        'bbox_head.cls_branches.*.**',
        'bbox_head.reg_branches.*.**',
        COCO_80,
        settings_of('DeformableSOTDHead', anchor_eps=1e-5),
    ),
    Layout(
        'MeMOTR',
        ('det_query_embed', 'det_anchor', 'transformer.level_embed'),
        (
            *MEMOTR_IMAGE,
            *TRANSFORMER,
            *ANCHORS_XYWH,
            Map('det_query_embed', 'sotd_head.query_embedding.weight'),
            Map('det_anchor', 'sotd_head.anchor_embedding.weight'),
            MEMORY,
        ),
        'class_embed.*.**',
        'bbox_embed.*.**',
        PERSON,
        settings_of('SOTDHead', anchor_eps=1e-5, image_temperature=20),
    ),
    Layout(
        'MeMOTR on Deformable DETR',
        ('det_query_embed', 'transformer.reference_points.weight', 'transformer.level_embed'),
        (
            *MEMOTR_IMAGE,
            *TRANSFORMER,
            *REFERENCE_POINTS,
            *query_rules('det_query_embed'),
            MEMORY,
        ),
        'class_embed.*.**',
        'bbox_embed.*.**',
        PERSON,
        settings_of('DeformableSOTDHead', anchor_eps=1e-5, image_temperature=20),
    ),
)
# they make their queries of what the encoder finds
TWO_STAGE = ('transformer.enc_output.weight', 'memory_trans_fc.weight')


def recognise(state: Mapping[str, Tensor]) -> Layout:
    """The layout of a state dict.

    Raises:
        ValueError: it is of a two-stage detector, of one without box refinement, or of none that
            is known here.
    """
    for name in TWO_STAGE:
        if name in state:
            raise ValueError(
                f'{name}: a two-stage detector, whose queries are proposals of its encoder; '
                'LA-MOTR learns its queries. Take the checkpoint with box refinement alone'
            )
    for layout in LAYOUTS:
        if all(name in state for name in layout.markers):
            _check_refinement(layout, state)
            return layout
    known = ', '.join(layout.name for layout in LAYOUTS)
    first = next(iter(state), 'no tensors')
    raise ValueError(f'its names are of no known layout (the first: {first}). Known: {known}')


def _check_refinement(layout: Layout, state: Mapping[str, Tensor]) -> None:
    """Without refinement all decoder layers share one box head, which is saved once for each."""
    copies: dict[str, list[Tensor]] = {}
    for name, value in state.items():
        if found := match(layout.boxes, name):
            copies.setdefault(found[1], []).append(value)
    if copies and all(
        len(values) > 1 and all(torch.equal(values[0], value) for value in values[1:])
        for values in copies.values()
    ):
        raise ValueError(
            f'a {layout.name} without box refinement: its decoder layers share one head. Take the '
            'checkpoint with iterative box refinement'
        )


def class_rules(layout: Layout, rows: list[int]) -> tuple[Rule, ...]:
    """Rules for the classification layers.

    Args:
        layout: of the file.
        rows: of the file's classifier, one for each class of the model.
    """
    note = f'rows {", ".join(map(str, rows))}; the others are other classes'
    target = 'sotd_head.cls_branches.*.**'
    return (Map(layout.classifier, target, lambda value: value[rows], note),)


def choose_rows(
    layout: Layout, state: Mapping[str, Tensor], classes: int, given: list[int] | None
) -> list[int]:
    """Which rows of the file's classifier the classes of the model take.

    Args:
        layout: of the file.
        state: state dict of the file.
        classes: number of classes of the model.
        given: the user's choice, ``None`` for people.

    Raises:
        ValueError: the choice does not fit, or there is none and the model has several classes or
            the file not the usual ones.
    """
    name = next((name for name in state if match(layout.classifier, name)), None)
    if name is None:
        raise ValueError(f'no classifier ({layout.classifier}) in it')
    count = len(state[name])
    if given is None:
        if classes == 1 and count in layout.person_row:
            return [layout.person_row[count]]
        raise ValueError(
            f'the model has {classes} classes and {name} {count} rows: say with --class-rows which '
            'row each class starts from (official COCO weights: category ids, person is 1)'
        )
    if len(given) != classes or not all(0 <= row < count for row in given):
        raise ValueError(
            f'--class-rows {" ".join(map(str, given))}: the model needs {classes} rows, each of '
            f'0-{count - 1}'
        )
    return list(given)
