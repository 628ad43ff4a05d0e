"""Training checkpoint -> weights to ship: half precision, no optimiser, loadable with
``weights_only``.

python tools/model_converters/publish_model.py work_dirs/lamotr_pets/epoch_20.pth
demo/weights/lamotr_pets.pth
"""

import argparse
import os
from pathlib import Path

import torch


def publish(checkpoint: dict) -> dict:
    """``{'state_dict': ..., 'meta': ...}`` with float tensors as float16 and plain-typed meta only.

    Args:
        checkpoint: of mmengine's ``CheckpointHook``.

    Raises:
        ValueError: if a weight is not finite or overflows half precision; named.
    """
    state = {}
    for name, value in checkpoint['state_dict'].items():
        state[name] = value.half() if value.is_floating_point() else value
        if value.is_floating_point() and not torch.isfinite(state[name]).all():
            raise ValueError(
                f'{name} is not finite in half precision; the checkpoint is not published'
            )
    meta = checkpoint.get('meta', {})
    kept = {key: meta[key] for key in ('epoch', 'iter', 'seed', 'mmengine_version') if key in meta}
    return dict(state_dict=state, meta=kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('out', type=Path)
    args = parser.parse_args()
    if not args.checkpoint.is_file():
        parser.error(f'{args.checkpoint}: no such file')
    # the hook's own files hold NumPy scalars in the message hub, which weights_only refuses
    published = publish(torch.load(args.checkpoint, map_location='cpu', weights_only=False))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part = args.out.with_suffix('.part')
    torch.save(published, part)
    torch.load(part, weights_only=True)
    os.replace(part, args.out)
    size = args.out.stat().st_size / 2**20
    print(f'{args.out}: {size:.1f} MiB, {len(published["state_dict"])} tensors')


if __name__ == '__main__':
    main()
