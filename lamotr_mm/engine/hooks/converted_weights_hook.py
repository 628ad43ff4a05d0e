"""No training from converted weights with a model that would compute something else with them."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from lamotr_mm.registry import HOOKS
from lamotr_mm.weights.layouts import LAYOUTS
from lamotr_mm.weights.settings import check_settings


@HOOKS.register_module()
class ConvertedWeightsHook(Hook):
    """Checks a ``load_from`` that ``tools/model_converters/detr2lamotr.py`` wrote; other
    checkpoints pass.

    A model may be changed between conversion and training; mmengine would only warn of shapes, and
    say nothing of temperatures.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare settings, names and shapes.

        Raises:
            ValueError: naming the file, and the keys to set or the first tensor that does not fit.
        """
        origin = checkpoint.get('meta', {}).get('converted_from')
        if origin is None:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        weights, expected = checkpoint['state_dict'], model.state_dict()
        where = f'load_from {runner.cfg.load_from}, weights of {origin}'
        settings = {layout.name: layout.settings for layout in LAYOUTS}
        if origin not in settings:
            raise ValueError(f'{where}: converted by another version of this package, do it again')
        try:
            check_settings(settings[origin], weights, model)
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
        for name, value in weights.items():
            if name not in expected or expected[name].shape != value.shape:
                raise ValueError(
                    f'{where}: {name} {tuple(value.shape)} does not fit the model: convert the '
                    'checkpoint with --config of the config that is trained'
                )
