"""Patterns, and that nothing is renamed, dropped or left over in silence."""

import pytest
import torch

from lamotr_mm.weights.rules import Map, Skip, Zero, complete, fill, match, rename

ONE, TWO = torch.ones(2, 3), torch.full((2, 3), 2.0)


@pytest.mark.parametrize(
    ('pattern', 'name', 'found'),
    [
        ('a.*.b', 'a.12.b', ('12',)),
        ('a.*.b', 'a.x.b', None),
        ('a.*.b', 'a.1.2.b', None),
        ('a.*.**', 'a.1.b.weight', ('1', 'b.weight')),
        ('a.**', 'a', None),
        ('a.b', 'axb', None),  # a dot is a dot
        ('a.b', 'a.b', ()),
        ('a.**.c', 'a.b.b.c', ('b.b',)),
    ],
)
def test_match(pattern, name, found):
    assert match(pattern, name) == found


def test_fill():
    assert fill('x.*.y.**', ('3', 'b.weight')) == 'x.3.y.b.weight'
    assert fill('x', ()) == 'x'


def test_rename_and_complete():
    """One tensor into two, one into one, one left out, one absent, one initial."""
    rules = (
        Map('queries', 'position', lambda value: value[:, :1]),
        Map('queries', 'content', lambda value: value[:, 1:]),
        Map('layers.*.norm1.**', 'decoder.*.norms.1.**'),
        Skip('copies.**', 'copies', copy_of='layers.**'),
        Zero('neck.*.bias', 'no bias'),
    )
    source = {'queries': ONE, 'layers.4.norm1.weight': TWO, 'copies.4.norm1.weight': TWO.clone()}
    model = {
        'position': torch.zeros(2, 1),
        'content': torch.zeros(2, 2),
        'decoder.4.norms.1.weight': torch.zeros(2, 3, dtype=torch.float64),
        'neck.0.bias': torch.ones(5),
        'sgla.layers.0.weight': torch.ones(7),
    }
    done = complete(rename(rules, source), rules, model)
    expected = {
        'position': torch.ones(2, 1),
        'content': torch.ones(2, 2),
        'decoder.4.norms.1.weight': TWO.double(),
        'neck.0.bias': torch.zeros(5),
    }
    assert done.state_dict.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(done.state_dict[name], value), name
        assert done.state_dict[name].dtype == value.dtype
        # a slice that kept its base's storage would be saved with all of it
        assert len(done.state_dict[name].untyped_storage()) == value.nbytes
    assert done.sources == {
        'position': 'queries',
        'content': 'queries',
        'decoder.4.norms.1.weight': 'layers.4.norm1.weight',
        'neck.0.bias': 'no bias',
    }
    assert done.skipped == {'copies.4.norm1.weight': 'copies'}
    assert done.initial == ['sgla.layers.0.weight']
    assert [(rule, count) for rule, count in done.applied] == [(rule, 1) for rule in rules]


@pytest.mark.parametrize(
    ('rules', 'source', 'message'),
    [
        ((Map('a', 'b'),), {'a': ONE, 'c': ONE, 'd': ONE}, r'2 tensors are unknown, .* c:'),
        ((Map('*', 'b'),), {'1': ONE, '2': TWO}, r'both 1 and 2 would become b'),
        ((Map('a', 'b', lambda v: v[[7]]),), {'a': ONE}, r'a \(2, 3\) has not the usual shape'),
        (
            (Map('a', 'b'), Skip('x', '', copy_of='a')),
            {'a': ONE, 'x': TWO},
            r'x is not the same as a',
        ),
        ((Skip('x', '', copy_of='a'),), {'x': TWO}, r'x is not the same as a'),
    ],
)
def test_rename_refuses(rules, source, message):
    with pytest.raises(ValueError, match=message):
        rename(rules, source)


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        ({'c': ONE}, r'a would become b, which the model does not have'),
        ({'b': ONE.long()}, r'a is torch\.float32, b of the model torch\.int64'),
        ({'b': ONE.T}, r'a \(2, 3\) does not fit b \(3, 2\) of the model'),
        ({'b': ONE, 'decoder.c': ONE}, r'nothing for decoder\.c of the model'),
    ],
)
def test_complete_refuses(model, message):
    rules = (Map('a', 'b'),)
    with pytest.raises(ValueError, match=message):
        complete(rename(rules, {'a': ONE}), rules, model)
