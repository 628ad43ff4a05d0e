"""`lamotr explain`: a source in, a page out."""

from pathlib import Path

from lamotr_mm.engine.launch import load_config
from lamotr_mm.io.frames import open_frames
from lamotr_mm.models.folding import fold
from lamotr_mm.registry import DATASETS

from .dataset_video import find_video
from .explain import Explanation, explain_dataset, explain_video
from .inferencer import default_device, init_model
from .model_zoo import find_model


def explain_source(
    source: str,
    frames: str,
    out: str | None,
    gt: str | None,
    start: int | None,
    video: str | None,
    model: str,
    weights: str | None,
    device: str | None,
    options: dict | None,
) -> Explanation:
    """Track and write the page; the arguments are those of the command.

    Raises:
        ValueError, OSError: an argument is wrong, the source can't be read, the page not written.
        FloatingPointError: the network's scores are not finite.
    """
    first, last = _frame_range(frames)
    device = device or default_device()
    of_config = Path(source).suffix == '.py'
    path, checkpoint = find_model(source if of_config else model, weights)
    config = load_config(path, options)
    out = out or f'{Path(source).stem}_explained.html'
    if of_config:
        if gt or start:
            raise ValueError("--gt and --start are for a video: a config's data have both")
        network = fold(init_model(config, checkpoint, device))
        dataset = DATASETS.build(config.test_dataloader.dataset)
        place = find_video(dataset, video)
        return explain_dataset(network, dataset, place, out, first or 1, last)
    source_frames = open_frames(source, start, last)
    network = fold(init_model(config, checkpoint, device))
    return explain_video(network, source_frames, out, first or 1, gt)


def _frame_range(text: str) -> tuple[int | None, int | None]:
    """``A:B``, ``A:`` or ``:B``."""
    before, colon, after = text.partition(':')
    if not colon:
        raise ValueError(f'--frames {text}: expected A:B, first and last frame')
    try:
        first, last = (int(part) if part else None for part in (before, after))
    except ValueError:
        raise ValueError(f'--frames {text}: A and B should be whole numbers') from None
    if first is not None and last is not None and first > last:
        raise ValueError(f'--frames {text}: B lies before A')
    return first, last
