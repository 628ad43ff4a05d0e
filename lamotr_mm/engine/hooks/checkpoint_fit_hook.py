"""No testing and no resuming with a checkpoint that fits the model in part only."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from lamotr_mm.registry import HOOKS
from lamotr_mm.weights.checkpoints import check_fit


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Stops before weights are loaded that do not fit the model; mmengine would only warn.

    `tools/test.py` and `tools/train.py --resume` add it. It is not for `load_from` in training,
    where pre-trained weights may well fit in part only.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare names and shapes.

        Raises:
            ValueError: naming the checkpoint and the first weight of each kind that does not fit.
        """
        state_dict = checkpoint.get('state_dict', checkpoint)
        # as mmengine does for weights of a wrapped model
        state_dict = {key.removeprefix('module.'): value for key, value in state_dict.items()}
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        check_fit(model, state_dict, runner.cfg.load_from)
