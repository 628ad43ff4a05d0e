"""A story of six frames on scores that are made by hand, decided by the real lifecycle."""

import copy

import numpy as np

from lamotr_mm.tracking.lifecycle import FrameScores, Lifecycle
from lamotr_mm.tracking.reasons import FrameReasons
from lamotr_mm.tracking.session import TrackTable
from lamotr_mm.visualization.explain import FrameRecord, NetworkView, TruthRecord

RULES = Lifecycle(det_thr=0.3, miss_tolerance=2)
PRIOR, LAYERS, SLOTS = -2.0, 2, 4
LEFTS = (20, 160)  # of objects 0 and 1, and of targets 11 and 12
# scores of the objects; of the tracklets in slots 0, 1, 2; S of object 0, of object 1 with them
STORY = [
    ((0.9, 0.8), (0, 0, 0), (0, 0, 0), (0, 0, 0)),  # ids 1 and 2 are born
    ((0.9, 0.8), (0.9, 0.9, 0), (0.95, 0.02, 0), (0.04, 0.9, 0)),
    ((0.4, 0.8), (0.2, 0.9, 0), (0.1, 0.02, 0), (0.04, 0.9, 0)),  # 1 is lost
    ((0.9, 0.8), (0.2, 0.9, 0), (0.3, 0.02, 0), (0.04, 0.9, 0)),  # 3 is born in its place
    ((0.9, 0.1), (0.2, 0.2, 0.9), (0.3, 0, 0.9), (0.04, 0.8, 0.1)),  # 1 ends, 2 is lost
    ((0.9, 0.8), (0, 0.2, 0.9), (0, 0.1, 0.9), (0, 0.8, 0.1)),  # 2 is found again
]
SWITCH = (4, 11, 2, 1, 3)


def boxes_at(lefts):
    return np.array([[x, 40, x + 50, 160] for x in lefts], dtype=np.float64)


def logit(score):
    score = np.clip(score, 1e-3, 1 - 1e-3)
    return np.log(score / (1 - score))


def view_of(scores, shift=6.0):
    """Half of what the score needs beyond the prior comes from the spatial cue."""
    part = (logit(scores.association) - PRIOR) / 4
    objects, slots = scores.association.shape
    looks = np.full((LAYERS, slots, objects), 0.2)
    looks[:, 0, 1] = 0.4
    return NetworkView(
        PRIOR,
        np.stack([part, part]),
        np.stack([0.5 * part, 1.5 * part]),
        looks,
        scores.tracklet_boxes_xyxy + shift,
    )


def make_story() -> list[FrameRecord]:
    """Records of the six frames, with truth."""
    table, records = TrackTable.empty(SLOTS), []
    for number, (objects, tracklets, *association) in enumerate(STORY, start=1):
        zeros = np.zeros(SLOTS, dtype=np.int64)
        scores = FrameScores(
            np.array(objects),
            zeros[:2],
            boxes_at(LEFTS),
            np.array([*tracklets, 0.0]),
            zeros,
            boxes_at((*LEFTS, LEFTS[0], 0)),
            np.pad(np.array(association, dtype=float), ((0, 0), (0, 1))),
        )
        before = copy.deepcopy(table)
        tracks = RULES.step(table, scores)
        reasons = FrameReasons.of(RULES, before, scores, tracks)
        record = FrameRecord.of(
            number, scores, tracks, reasons, view_of(scores), tracks.ids.tolist()
        )
        owners = {11: {1: 1, 2: 1, 4: 3, 5: 3, 6: 3}, 12: {1: 2, 2: 2, 3: 2, 4: 2, 6: 2}}
        record.truth = [
            TruthRecord(target, owners[target].get(number, -1), box.tolist())
            for target, box in zip((11, 12), boxes_at(LEFTS))
        ]
        records.append(record)
    return records
