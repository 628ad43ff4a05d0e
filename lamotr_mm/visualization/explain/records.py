"""What the page knows of a frame: plain numbers and text, small enough for hundreds of frames."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lamotr_mm.tracking.lifecycle import FrameScores, FrameTracks
from lamotr_mm.tracking.reasons import FrameReasons, TrackReason
from lamotr_mm.tracking.session import NO_TRACK

# of how many pairs a frame keeps the terms of S: for each tracklet the best by S and by attention,
# for each object the best by S
BEST_OF_TRACKLET, MOST_ATTENDED, BEST_OF_OBJECT = 4, 2, 2

Box = list[float]  # xyxy, px of the original image


class NetworkView(NamedTuple):
    """What SGLA did in a frame, on the host; slots and objects as in `FrameScores`.

    Attributes:
        prior: logit of ``S`` where the association matrix is 0.
        spatial, attention: ``(L, Nd, Nt)``, what each layer added to the logits of ``S``.
        looks: ``(L, Nt, Nd)``, attention of tracklets to objects, probabilities.
        before_xyxy: ``(Nt, 4)``, boxes of the tracklets before SGLA, px of the original image.
    """

    prior: float
    spatial: np.ndarray
    attention: np.ndarray
    looks: np.ndarray
    before_xyxy: np.ndarray


@dataclass(frozen=True)
class TrackRecord:
    """A track in a frame.

    Attributes:
        id, state, missed, why: as of `TrackReason`.
        label: class.
        score: of its tracklet query, a newborn's of its object.
        object: row of its object in the frame's `objects`; -1: none.
        before, after: boxes of the tracklet before and after SGLA; a newborn has none.
        box: of the track, where it is alive.
        out: whether the track is given out (its score and area suffice).
    """

    id: int
    state: str
    missed: int
    why: str
    label: int
    score: float
    object: int
    before: Box | None
    after: Box | None
    box: Box | None
    out: bool


@dataclass(frozen=True)
class ObjectRecord:
    """An object in a frame: ``query`` is its number, ``id`` its track (-1: none), which also says
    why; the rest as of `ObjectReason` and `TrackRecord`."""

    query: int
    fate: str
    id: int
    why: str
    label: int
    score: float
    box: Box


class TruthRecord(NamedTuple):
    """A target of the ground truth, its box, and the id of the track that has it (-1: none)."""

    target: int
    id: int
    box: Box


@dataclass
class FrameRecord:
    """A frame as the page shows it.

    Attributes:
        number: of the frame.
        tracks: by id. The first ones entered the frame: they are the columns of `scores`; the
            newborns behind them have none.
        objects: the rows of `scores`.
        scores: ``S`` in thousandths.
        pairs: terms of the logit of ``S``, for the pairs that matter: object, track, then for each
            layer the spatial term, for each the attention term (hundredths), for each the attention
            of the tracklet to the object (thousandths).
        truth: targets, where there is ground truth.
    """

    number: int
    tracks: list[TrackRecord]
    objects: list[ObjectRecord]
    scores: list[list[int]]
    pairs: list[list[int]]
    truth: list[TruthRecord] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        number: int,
        scores: FrameScores,
        tracks: FrameTracks,
        reasons: FrameReasons,
        view: NetworkView,
        given_out: Sequence[int],
    ) -> 'FrameRecord':
        """From what was seen and decided.

        Args:
            number: of the frame.
            scores: what the network said.
            tracks: what the lifecycle decided.
            reasons: why.
            view: how the network came to it.
            given_out: ids in the output.
        """
        rows = {item.query: row for row, item in enumerate(reasons.objects)}
        queries = np.array(list(rows), dtype=np.int64)
        slots = np.array([t.slot for t in reasons.tracks if t.state != 'born'], dtype=np.int64)
        alive = dict(zip(tracks.ids.tolist(), range(len(tracks.ids))))
        association = scores.association[np.ix_(queries, slots)]
        return cls(
            number,
            [
                _track(reason, scores, tracks, view, rows, alive.get(reason.track_id), given_out)
                for reason in reasons.tracks
            ],
            [
                ObjectRecord(
                    query=item.query,
                    fate=item.fate,
                    id=item.track_id,
                    why=item.why if item.track_id == NO_TRACK else '',
                    label=int(scores.object_labels[item.query]),
                    score=_round(scores.object_scores[item.query], 3),
                    box=_box(scores.object_boxes_xyxy[item.query]),
                )
                for item in reasons.objects
            ],
            _whole(association, 1000).tolist(),
            _pairs(association, queries, slots, view),
        )

    def track(self, track_id: int) -> TrackRecord | None:
        """The track of this id, if it is in the frame."""
        return next((track for track in self.tracks if track.id == track_id), None)

    def matches(self) -> Mapping[int, int]:
        """Target -> id of the track that has it, -1 for none."""
        return {item.target: item.id for item in self.truth}

    def as_json(self) -> dict[str, Any]:
        """Of lists, dicts, numbers and text."""
        return asdict(self) | {'truth': [item._asdict() for item in self.truth]}


def _track(
    reason: TrackReason,
    scores: FrameScores,
    tracks: FrameTracks,
    view: NetworkView,
    rows: dict[int, int],
    place: int | None,
    given_out: Sequence[int],
) -> TrackRecord:
    """Args: rows: object -> its row; place: among the tracks that are alive."""
    newborn, slot = reason.state == 'born', reason.slot
    seen = scores.object_scores[reason.object_index] if newborn else scores.tracklet_scores[slot]
    label = scores.tracklet_labels[slot] if place is None else tracks.labels[place]
    return TrackRecord(
        id=reason.track_id,
        state=reason.state,
        missed=reason.missed,
        why=reason.why,
        label=int(label),
        score=_round(seen, 3),
        object=rows.get(reason.object_index, -1),
        before=None if newborn else _box(view.before_xyxy[slot]),
        after=None if newborn else _box(scores.tracklet_boxes_xyxy[slot]),
        box=None if place is None else _box(tracks.boxes_xyxy[place]),
        out=reason.track_id in given_out,
    )


def _pairs(
    association: np.ndarray, queries: np.ndarray, slots: np.ndarray, view: NetworkView
) -> list[list[int]]:
    """Rows of `FrameRecord.pairs` of the pairs that matter."""
    if association.size == 0:
        return []
    looks = view.looks[:, slots][:, :, queries].transpose(0, 2, 1)  # layers, objects, tracklets
    kept = np.zeros(association.shape, dtype=bool)
    for values, axis, count in (
        (association, 0, BEST_OF_TRACKLET),
        (looks.mean(0), 0, MOST_ATTENDED),
        (association, 1, BEST_OF_OBJECT),
    ):
        best = np.argsort(-values, axis=axis, kind='stable').take(
            range(min(count, values.shape[axis])), axis
        )
        np.put_along_axis(kept, best, True, axis)
    objects, columns = np.nonzero(kept)
    terms = (part[:, queries[objects], slots[columns]] for part in (view.spatial, view.attention))
    numbers = [_whole(part, 100) for part in terms] + [_whole(looks[:, objects, columns], 1000)]
    return np.vstack([objects, columns, *numbers]).T.tolist()


def _whole(values: np.ndarray, unit: int) -> np.ndarray:
    return np.rint(np.asarray(values) * unit).astype(np.int64)


def _round(value: float, decimals: int) -> float:
    number = round(float(value), decimals)
    return int(number) if number == int(number) else number


def _box(box_xyxy: np.ndarray) -> Box:
    return [_round(value, 1) for value in box_xyxy]
