"""Which checkpoints are recognised, and why others are refused."""

import pytest
import torch
from official_layouts import PROJECTS, SMALL, make_state

from lamotr_mm.weights.layouts import LAYOUTS, choose_rows, recognise


@pytest.mark.parametrize('kind', PROJECTS)
def test_one_layout_each(kind):
    state = make_state(kind, SMALL)
    assert sum(all(name in state for name in layout.markers) for layout in LAYOUTS) == 1
    assert recognise(state).classifier == 'class_embed.*.**'


@pytest.mark.parametrize('name', ['transformer.enc_output.weight', 'memory_trans_fc.weight'])
def test_two_stage_is_refused(name):
    state = make_state('deformable', SMALL) | {name: torch.zeros(64, 64)}
    with pytest.raises(ValueError, match='two-stage detector, whose queries are proposals'):
        recognise(state)


@pytest.mark.parametrize('kind', ['deformable', 'dab'])
def test_without_box_refinement_is_refused(kind):
    """All layers save the same head; the decoder has none of its own."""
    state = make_state(kind, SMALL)
    for name in list(state):
        if name.startswith('transformer.decoder.bbox_embed.'):
            del state[name]
        elif name.startswith('bbox_embed.'):
            state[name] = state[name.replace(name.split('.')[1], '0', 1)]
    with pytest.raises(ValueError, match='without box refinement'):
        recognise(state)


@pytest.mark.parametrize(
    'state', [{}, {'refpoint_embed.weight': torch.ones(1), 'b': torch.ones(1)}]
)
def test_unknown_is_refused(state):
    with pytest.raises(
        ValueError, match=r'of no known layout .*Known: DAB-Deformable-DETR.*MeMOTR'
    ):
        recognise(state)


@pytest.mark.parametrize(
    ('classes', 'row'), [(91, 1), (1, 0), (80, None), (2, None)], ids=['coco', 'one', '80', 'two']
)
def test_person(classes, row):
    """Row 1 of COCO's 91 ids in the official layout; no guess where the rows are others."""
    state = make_state('dab', SMALL)
    state['class_embed.0.weight'] = torch.zeros(classes, SMALL.width)
    layout = recognise(state)
    if row is None:
        with pytest.raises(ValueError, match='--class-rows'):
            choose_rows(layout, state, 1, None)
    else:
        assert choose_rows(layout, state, 1, None) == [row]


def test_no_classifier():
    state = make_state('dab', SMALL)
    state = {name: value for name, value in state.items() if not name.startswith('class_embed')}
    with pytest.raises(ValueError, match='no classifier'):
        choose_rows(recognise(state), state, 1, None)
