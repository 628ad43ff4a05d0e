r"""Weights of a trained LA-MOTR for the same model on another backbone, to go on training from.

    python tools/model_converters/swap_backbone.py \
        configs/lamotr_pets.py demo/weights/lamotr_pets.pth \
        configs/lamotr_people.py data/pretrained/people_warm.pth --ann-file annotations/fit.json

Encoder, decoder and SGLA are taken over as they are. The neck is fitted, by least squares on frames
of training video: with the new backbone's features it is to give what the old one gave with the
old. What it cannot give has to be learned; training goes on from there instead of from nothing.
"""

import argparse
import sys
from pathlib import Path

import torch
from mmdet.models import ChannelMapper
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import load_checkpoint
from torch import Tensor, nn

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.engine.launch import load_config
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.models import LAMOTR
from lamotr_mm.registry import DATASETS

RIDGE = 1e-6  # of the mean square of the new backbone's channels


class LinearFit:
    """``y = W x + b`` by least squares, from sums over batches of samples.

    Args:
        inputs, outputs: channels of ``x`` and ``y``.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        double = dict(dtype=torch.float64)
        self.squares = torch.zeros(inputs + 1, inputs + 1, **double)
        self.products = torch.zeros(inputs + 1, outputs, **double)
        self.energy = torch.zeros(outputs, **double)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Take samples ``x (n, inputs)``, ``y (n, outputs)`` into account."""
        x, y = torch.cat([x, torch.ones_like(x[:, :1])], 1).double(), y.double()
        self.squares += x.T @ x
        self.products += x.T @ y
        self.energy += y.square().sum(0)

    def solve(self) -> tuple[Tensor, Tensor]:
        """``W (outputs, inputs)`` and ``b (outputs,)``; the ridge keeps idle channels at 0."""
        ridge = RIDGE * self.squares.diagonal().mean() * torch.eye(len(self.squares)).double()
        solution = torch.linalg.solve(self.squares + ridge, self.products).T
        return solution[:, :-1], solution[:, -1]

    def explained(self, weight: Tensor, bias: Tensor) -> float:
        """Share of the variance of ``y`` in these samples that ``W x + b`` explains."""
        solution = torch.cat([weight, bias[:, None]], 1)
        error = self.energy.sum() - 2 * (solution.T * self.products).sum()
        error = error + ((solution @ self.squares) * solution).sum()
        # the last row of squares and products belongs to the constant 1
        spread = self.energy - self.products[-1].square() / self.squares[-1, -1]
        return float(1 - error / spread.sum())


def check_necks(old: LAMOTR, new: LAMOTR) -> None:
    """Raises ValueError unless both necks are 1x1 convolutions of as many levels and channels."""
    for model in (old, new):
        neck = model.neck
        convs = neck.convs if isinstance(neck, ChannelMapper) else []
        if not convs or neck.extra_convs or any(m.conv.kernel_size != (1, 1) for m in convs):
            raise ValueError('both models need a neck of type ChannelMapper with 1x1 convolutions')
    channels = [[module.conv.out_channels for module in model.neck.convs] for model in (old, new)]
    if channels[0] != channels[1]:
        raise ValueError(f'the necks give {channels[0]} and {channels[1]} channels, not the same')


@torch.no_grad()
def fit_neck(old: LAMOTR, new: LAMOTR, images: list[Tensor]) -> list[float]:
    """Fits the convolutions of the new neck on images; every fifth is kept to test on.

    Args:
        old, new: models with the backbones' weights, in eval mode.
        images: each ``(1, 3, H, W)``, normalised and padded.

    Returns:
        Per level the share of variance that the fit explains in the test images.
    """
    pairs = list(zip(old.neck.convs, new.neck.convs))
    fits = [
        [LinearFit(n.conv.in_channels, n.conv.out_channels) for _, n in pairs] for _ in range(2)
    ]
    for number, image in enumerate(images):
        chosen = fits[number % 5 == 4]
        for fit, (source, _), x, y in zip(chosen, pairs, new.backbone(image), old.backbone(image)):
            fit.add(_samples(x), _samples(source.conv(y)))
    shares = []
    for (source, target), fit, test in zip(pairs, *fits):
        weight, bias = fit.solve()
        target.load_state_dict(
            source.state_dict() | {'conv.weight': weight[..., None, None], 'conv.bias': bias}
        )
        shares.append(test.explained(weight, bias))
    return shares


def _samples(features: Tensor) -> Tensor:
    """``(1, C, h, w)`` -> ``(h * w, C)``."""
    return features[0].flatten(1).T


def take_over(old: nn.Module, new: nn.Module) -> None:
    """Copies everything but backbone and neck.

    Raises:
        ValueError: the models differ elsewhere.
    """
    kept = ('backbone.', 'neck.')
    state = {key: value for key, value in old.state_dict().items() if not key.startswith(kept)}
    expected = {k: v.shape for k, v in new.state_dict().items() if not k.startswith(kept)}
    different = [
        k for k in {*state, *expected} if k not in state or state[k].shape != expected.get(k)
    ]
    if different:
        raise ValueError(
            f'the models differ in more than backbone and neck: {len(different)} weights, such as '
            f'{min(different)}'
        )
    new.load_state_dict(state, strict=False)


def read_images(cfg: Config, ann_file: str, count: int, model: LAMOTR) -> list[Tensor]:
    """Frames of a split, evenly spaced, through the test pipeline and the model's preprocessor."""
    settings = cfg.val_dataloader.dataset | dict(ann_file=ann_file)
    dataset = DATASETS.build(settings)
    frames = [(v, f) for v in range(len(dataset)) for f in range(dataset.get_len_per_video(v))]
    step = max(1, len(frames) // count)
    batches = (pseudo_collate([dataset[index]]) for index in frames[::step])
    return [model.data_preprocessor(batch, False)['inputs'][0] for batch in batches]


def swap(args: argparse.Namespace) -> list[float]:
    """Does what the command line asks for; returns the explained shares."""
    old_cfg, new_cfg = load_config(args.old_config), load_config(args.new_config)
    old, new = init_model(old_cfg, args.old_checkpoint), init_model(new_cfg)
    source = (new_cfg.model.backbone.get('init_cfg') or {}).get('checkpoint')
    if not source:
        raise ValueError(f'{args.new_config} has no model.backbone.init_cfg.checkpoint')
    load_checkpoint(new.backbone, source, map_location='cpu', strict=True)
    check_necks(old, new)
    take_over(old, new)
    ann_file = args.ann_file or new_cfg.train_dataloader.dataset.ann_file
    shares = fit_neck(old, new, read_images(new_cfg, ann_file, args.frames, new))
    with replace_on_success(args.out) as part:
        torch.save(dict(state_dict=new.state_dict(), meta={}), part)
    return shares


def main(argv: list[str] | None = None) -> None:
    """Swap; what does not fit prints one line and exits with status 2."""
    parser = argparse.ArgumentParser(description='Weights for the same model on another backbone')
    parser.add_argument('old_config')
    parser.add_argument('old_checkpoint')
    parser.add_argument('new_config', help='its backbone.init_cfg names the backbone weights')
    parser.add_argument('out', type=Path)
    parser.add_argument('--ann-file', help="default: the new config's training annotations")
    parser.add_argument('--frames', type=int, default=50, help='about so many; default 50')
    args = parser.parse_args(argv)
    try:
        shares = swap(args)
    except (ValueError, OSError, RuntimeError) as error:
        print(f'swap_backbone.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    text = ', '.join(f'{share:.2f}' for share in shares)
    print(f'{args.out}: variance explained on other frames, by level: {text}')


if __name__ == '__main__':
    main()
