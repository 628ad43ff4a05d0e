"""Every tracker of configs/peers/ on detections whose ids can be told by hand."""

import pytest
import torch

from lamotr_mm.peers.comparison import tracks_of


def ids_by_frame(peer, settings, frames):
    """The id of each box, in the order of the boxes in each frame."""
    boxes = [frame.sample[0].pred_instances.bboxes.tolist() for frame in frames]
    found = []
    for of_frame, tracks in zip(boxes, tracks_of(peer.build(settings), frames)):
        known = dict(zip(map(tuple, tracks.bboxes.tolist()), tracks.instances_id.tolist()))
        found.append([known.get(tuple(box)) for box in of_frame])
    return found


def box(left, width=20, height=40):
    return [left, 0, left + width, height]


# of a box that moves on by half its width: IoU 1/3, times the score 0.3
LOOSE = {
    'bytetrack': {},
    'ocsort': {'tracker.match_iou_thr': 0.1},
    'sort': {'tracker.match_iou_thr': 0.1},
    'sort-kalman': {'tracker.match_iou_thrs.high': 0.1},
    'strongsort': {'tracker.match_iou_thr': 0.1},
    'perfect-ids': {},
}


@pytest.mark.parametrize('name', LOOSE)
def test_two_that_cross(peer_of, detected, name):
    """They walk through each other. At the crossing, each is nearer to where the other was.

    From frame 5 (50 and 55) to 6 (60 and 45), IoU of the last boxes 15/25 for the wrong pairs and
    10/30 for the right ones: only those that predict keep the ids.
    """
    frames = detected([[box(10 * t), box(105 - 10 * t)] for t in range(11)])
    ids = ids_by_frame(peer_of(name), LOOSE[name], frames)
    assert all(first != second for first, second in ids)
    before, after = ids[5], ids[6]
    if name == 'sort':
        assert after == before[::-1]
    else:
        assert after == before == ids[2] == ids[10]


def present(frames_without):
    """One that stands still but is not seen in some frames, beside one that is always seen."""
    return [
        [box(200)] if t in frames_without else [box(200), box(0)] for t in range(8)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('name', 'missed', 'found_again'),
    [
        ('sort', [4], False),  # looks at the last frame only
        ('sort-kalman', [4], True),
        ('sort-kalman', [4, 5], False),
        ('bytetrack', [4, 5], True),
        ('ocsort', [4, 5], True),
        ('strongsort', [4, 5], True),
        ('perfect-ids', [4, 5], True),
    ],
)
def test_one_that_is_not_seen_for_a_while(peer_of, detected, name, missed, found_again):
    ids = ids_by_frame(peer_of(name), {}, detected(present(missed)))
    assert (ids[7][1] == ids[3][1]) == found_again
    assert len({of_frame[0] for of_frame in ids}) == 1


def test_degenerate_detections_never_reach_the_tracker(peer, detected):
    """Flat, upside down and not finite; thousands of them, for which lapjv does not return."""
    bad = [[5, 5, 5, 5], [5, 5, 25, 5], [5, 5, 5, 25], [25, 25, 5, 5], [5, 5, float('nan'), 25]]
    frames = detected([[box(200), *bad * 600] for _ in range(4)])
    for tracks in tracks_of(peer.build({}), frames):
        assert tracks.bboxes.tolist() == [box(200)]
        assert tracks.instances_id.unique().numel() == 1


def test_frames_without_detections(peer, detected):
    frames = detected([[], [box(0)], [], [box(0)], [box(0)]])
    counts = [len(tracks.bboxes) for tracks in tracks_of(peer.build({}), frames)]
    assert counts == [0, 1, 0, 1, 1]


def test_a_new_video_starts_anew(peer, detected):
    frames = detected([[box(0)], [box(0)]])
    model = peer.build({})
    first, second = (
        [tracks.instances_id.tolist() for tracks in tracks_of(model, frames)] for _ in range(2)
    )
    assert first == second


def test_strongsort_gates_by_the_distance_to_its_prediction(peer_of, detected):
    """At rest, a jump by a whole box: no IoU, and far outside the gate; by 3 px: the same track."""
    peer = peer_of('strongsort')
    for step, same in ((3, True), (40, False)):
        frames = detected([[box(0)]] * 5 + [[box(step)]])
        ids = [tracks.instances_id.item() for tracks in tracks_of(peer.build({}), frames)]
        assert (ids[5] == ids[4]) == same
    assert torch.equal(
        peer.build({}).reid(torch.ones(2, 1), mode='tensor'), torch.ones(2, 1)
    )  # no look
