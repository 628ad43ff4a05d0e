"""Training under bfloat16 autocast: how mmengine finds and enters it."""

import torch
from mmengine.model import BaseModel
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
