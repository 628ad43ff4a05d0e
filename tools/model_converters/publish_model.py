r"""Training checkpoint -> weights to ship: half precision, no optimiser, loadable with
``weights_only``; as safetensors where the name ends so.

    python tools/model_converters/publish_model.py \
        work_dirs/lamotr_pets/epoch_20.pth demo/weights/lamotr_pets.pth
"""

import argparse
import pickle
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from lamotr_mm.io.files import replace_on_success
from lamotr_mm.version import __version__
from lamotr_mm.weights.checkpoints import SAFETENSORS, existing_checkpoint, load_checkpoint


def publish(checkpoint: dict) -> dict:
    """``{'state_dict': ..., 'meta': ...}`` with float tensors as float16 and plain-typed meta only:
    what training wrote of epoch, iteration, seed and mmengine, and the version that publishes.

    Args:
        checkpoint: of mmengine's ``CheckpointHook``.

    Raises:
        ValueError: if a weight is not finite or overflows half precision; named. If there are no
            weights.
    """
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('state_dict'), dict):
        raise ValueError('no state_dict is in it: name a checkpoint that tools/train.py wrote')
    state = {}
    for name, value in checkpoint['state_dict'].items():
        state[name] = value.half() if value.is_floating_point() else value
        if value.is_floating_point() and not torch.isfinite(state[name]).all():
            raise ValueError(
                f'{name} is not finite in half precision; the checkpoint is not published'
            )
    meta = checkpoint.get('meta', {})
    kept = {key: meta[key] for key in ('epoch', 'iter', 'seed', 'mmengine_version') if key in meta}
    return dict(state_dict=state, meta={**kept, 'lamotr_mm_version': __version__})


def read(path: Path) -> dict:
    """What ``torch.save`` wrote.

    Raises:
        ValueError: it is missing or can't be read; names it.
    """
    existing_checkpoint(str(path))
    try:
        # the hook's own files hold NumPy scalars in the message hub, which weights_only refuses
        return torch.load(path, map_location='cpu', weights_only=False)
    except (ValueError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise ValueError(f'checkpoint {path} cannot be read: {error}') from error


def save_safetensors(published: dict, path: Path) -> None:
    """Weights of :func:`publish`, and its meta as text."""
    meta = {key: str(value) for key, value in published['meta'].items()}
    # shared and strided tensors are written once each, as they are read
    state = {name: value.clone().contiguous() for name, value in published['state_dict'].items()}
    save_file(state, path, {'format': 'pt', **meta})


def main(argv: list[str] | None = None) -> None:
    """Publish; what can't be published prints one line and exits with status 2."""
    parser = argparse.ArgumentParser(description='Training checkpoint -> weights to ship')
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('out', type=Path)
    args = parser.parse_args(argv)
    try:
        checkpoint = read(args.checkpoint)
        try:
            published = publish(checkpoint)
        except ValueError as error:
            raise ValueError(f'{args.checkpoint}: {error}') from error
        with replace_on_success(args.out) as part:
            if args.out.suffix == SAFETENSORS:
                save_safetensors(published, part)
            else:
                torch.save(published, part)
            load_checkpoint(str(part))
    except (ValueError, OSError) as error:
        print(f'publish_model.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    size = args.out.stat().st_size / 2**20
    print(f'{args.out}: {size:.1f} MiB, {len(published["state_dict"])} tensors')


if __name__ == '__main__':
    main()
