"""A loss that is not finite ends the run at once."""

from types import SimpleNamespace

import pytest
import torch

from lamotr_mm.engine.hooks import FiniteLossHook

RUNNER = SimpleNamespace(iter=41, epoch=2)


def outputs(**values):
    return {name: torch.tensor(value) for name, value in values.items()}


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_the_losses_are_named(value):
    broken = outputs(loss=value, loss_det_cls=0.5, **{'d0.loss_tck_reg': value})
    with pytest.raises(FloatingPointError) as error:
        FiniteLossHook().after_train_iter(RUNNER, 0, outputs=broken)
    assert 'iteration 42 (epoch 3): loss, d0.loss_tck_reg is not finite' in str(error.value)
    assert '--resume' in str(error.value)


def test_finite_losses_and_other_values_pass():
    hook = FiniteLossHook()
    hook.after_train_iter(RUNNER, 0, outputs=outputs(loss=1e30, asso_tp=float('nan')))
    hook.after_train_iter(RUNNER, 0, outputs=None)


def test_it_runs_before_a_checkpoint_is_written():
    from mmengine.hooks import CheckpointHook
    from mmengine.runner import get_priority

    assert get_priority(FiniteLossHook.priority) < get_priority(CheckpointHook.priority)
