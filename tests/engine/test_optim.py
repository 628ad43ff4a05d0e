"""Training under bfloat16 autocast: how mmengine finds and enters it; groups of parameters."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS

from lamotr_mm.engine.optim import BFloat16OptimWrapper


class Regression(BaseModel):
    """Remembers in which dtype it multiplied."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)
        self.dtypes = []

    def forward(self, inputs, mode='tensor'):
        product = self.linear(inputs)
        self.dtypes.append(product.dtype)
        return dict(loss=product.float().square().mean())


def test_a_training_step():
    torch.manual_seed(0)
    model = Regression()
    before = model.linear.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = MMENGINE_OPTIM_WRAPPERS.build(
        dict(type='lamotr_mm.BFloat16OptimWrapper', optimizer=optimizer, accumulative_counts=2)
    )
    assert type(wrapper) is BFloat16OptimWrapper
    wrapper.initialize_count_status(model, 0, 2)
    inputs = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    for step in range(2):
        model.train_step(dict(inputs=inputs), wrapper)
        changed = not torch.equal(model.linear.weight, before)
        assert changed == (step == 1), 'gradients are not accumulated'
    assert model.dtypes == [torch.bfloat16] * 2
    assert model.linear.weight.dtype == torch.float32
    assert not torch.is_autocast_enabled('cpu')


@pytest.mark.parametrize('fused', [False, True])
def test_few_groups_take_the_same_steps(fused):
    """Three settings: a slower part, a norm without decay, the rest; what is frozen is in none."""
    results = []
    for constructor in ('DefaultOptimWrapperConstructor', 'lamotr_mm.FewGroupsConstructor'):
        torch.manual_seed(0)
        slow, fast = (
            torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3), torch.nn.Linear(3, 3))
            for _ in range(2)
        )
        model = torch.nn.ModuleDict(dict(slow=slow, fast=fast))
        fast[0].requires_grad_(False)
        wrapper = build_optim_wrapper(
            model,
            dict(
                constructor=constructor,
                optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.1, fused=fused),
                paramwise_cfg=dict(
                    norm_decay_mult=0.0, custom_keys={'slow': dict(lr_mult=0.5, decay_mult=0.5)}
                ),
            ),
        )
        for step in range(3):
            loss = fast(slow(torch.linspace(-1, step, 6).view(2, 3))).square().mean()
            wrapper.update_params(loss)
        groups = wrapper.optimizer.param_groups
        results.append(([p.clone() for p in model.parameters()], groups))
    (expected, many), (ours, few) = results
    assert len(many) == 10
    for mine, other in zip(ours, expected, strict=True):
        assert torch.equal(mine, other)
    settings = {(group['lr'], group['weight_decay']): len(group['params']) for group in few}
    assert len(few) == 3 and settings == {(0.05, 0.05): 6, (0.1, 0.0): 2, (0.1, 0.1): 2}
