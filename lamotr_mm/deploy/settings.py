"""`model.json`: what the runtime must know beside the graphs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT = 1  # of the folder; what an older or newer program cannot read has another one
FILE = 'model.json'
GRAPHS = ('encode', 'decode', 'update')


@dataclass(frozen=True)
class Preprocessing:
    """How a frame becomes the input of ``encode``.

    Attributes:
        scale: (long, short) side in px, which a frame is resized to fit, or (width, height) exactly
            where ``keep_ratio`` is false; None: frames stay as they are.
        keep_ratio: whether a frame keeps its proportions.
        img_shape: (height, width) in px of the resized frames that the graphs are made for.
        padded: (height, width) in px of the graph's input: zeros right and below.
        mean, std: of the three channels, 0..255.
        rgb: whether the channels are red, green, blue; frames are blue, green, red.
    """

    scale: tuple[int, int] | None
    keep_ratio: bool
    img_shape: tuple[int, int]
    padded: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rgb: bool


@dataclass(frozen=True)
class ProposalSettings:
    """What mmdet's dense head does behind its network, with one class.

    Attributes:
        level_sizes: anchors of each level.
        score_thr: anchors with a score above it are candidates (probability).
        nms_pre: most candidates of a level.
        min_size: candidates with larger sides than it stay, px of the resized frame; below 0: all.
        iou: a candidate is dropped that overlaps a better one by more.
        places: most proposals, ``P``.
    """

    level_sizes: tuple[int, ...]
    score_thr: float
    nms_pre: int
    min_size: float
    iou: float
    places: int


@dataclass(frozen=True)
class StateField:
    """A field of the tracklets' state ``(1, Nt, ...)``.

    Attributes:
        name: as the graphs' inputs have it, behind ``state.``.
        dtype: NumPy's name.
        shape: of one slot.
        fill: of a free slot.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    fill: float


@dataclass(frozen=True)
class Settings:
    """All of `model.json`.

    Attributes:
        preprocessing, proposals, state: see there; ``proposals`` is None where the model has none.
        num_objects: object queries ``Nd``.
        slots: tracklet slots that a video starts with; they double when they are full.
        outputs: what ``update`` reads of ``decode``'s outputs, in the names of both.
        decisions: what it reads of the lifecycle's, in the names of ``FrameTracks``.
        lifecycle: ``type`` and settings.
        out_score_thr, out_min_area: tracks above both are output; probability and px^2.
        classes: names of the labels 0, 1, ...
        precision: of the weights, 'fp32' or 'int8'.
        made_by: program and version that exported.
    """

    preprocessing: Preprocessing
    proposals: ProposalSettings | None
    state: tuple[StateField, ...]
    num_objects: int
    slots: int
    outputs: tuple[str, ...]
    decisions: tuple[str, ...]
    lifecycle: dict[str, Any]
    out_score_thr: float
    out_min_area: float
    classes: tuple[str, ...]
    precision: str
    made_by: str

    def write(self, folder: Path) -> None:
        """Write `model.json`."""
        content = dict(format=FORMAT, **asdict(self))
        (folder / FILE).write_text(json.dumps(content, indent=2) + '\n')

    @classmethod
    def read(cls, folder: Path) -> 'Settings':
        """Read `model.json`.

        Raises:
            ValueError: it is missing, cut off or of another format; names it.
        """
        path = folder / FILE
        if not path.is_file():
            raise ValueError(
                f'{folder} is no exported model, it has no {FILE}: name a folder that '
                'tools/deploy/export.py wrote'
            )
        try:
            content = json.loads(path.read_text())
            found = content.pop('format')
            if found == FORMAT:
                return cls(**_typed(content))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f'{path} cannot be read ({error!r}): export it again') from error
        raise ValueError(
            f'{path} has format {found}, this version of lamotr_mm reads {FORMAT}: export the '
            f'model again, or install what made it ({content.get("made_by", "it does not say")})'
        )


def _typed(content: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists and objects as the types above."""
    content = {key: _tuple(value) for key, value in content.items()}
    content['preprocessing'] = Preprocessing(**_tuples(content['preprocessing']))
    if content['proposals'] is not None:
        content['proposals'] = ProposalSettings(**_tuples(content['proposals']))
    content['state'] = tuple(StateField(**_tuples(each)) for each in content['state'])
    return content


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {key: _tuple(value) for key, value in content.items()}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
