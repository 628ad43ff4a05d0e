"""Early stopping that knows which way our metrics go."""

from mmdet.registry import HOOKS as MMDET_HOOKS
from mmengine.hooks import EarlyStoppingHook as MMEngineEarlyStoppingHook

from lamotr_mm.evaluation.directions import rule_of
from lamotr_mm.registry import HOOKS


# also in mmdet's scope, the default one of configs: ``type='EarlyStoppingHook'`` means this class
@MMDET_HOOKS.register_module()
@HOOKS.register_module()
class EarlyStoppingHook(MMEngineEarlyStoppingHook):
    """mmengine's hook; ``rule`` need not be named for a ``monitor`` of this package, such as
    ``track/HOTA`` or ``track/IDSW``."""

    def _init_rule(self, monitor: str) -> str:
        return rule_of(monitor) or super()._init_rule(monitor)
