"""Sessions: several on one model give what each gives alone; missing frames are time."""

import numpy as np
import pytest
import torch

from lamotr_mm.apis.inferencer import track_frames

FIELDS = ('ids', 'boxes_xyxy', 'scores', 'labels', 'ages', 'objects')
# px and probabilities: of products over a batch that are summed in another order
BATCH_TOLERANCE = 1e-3


def alone(tracker, images):
    session = tracker.session()
    return [session.push(image) for image in images]


def assert_equal(ours, theirs, atol=0.0):
    assert len(ours) == len(theirs)
    for one, two in zip(ours, theirs):
        assert one.frame == two.frame and len(one) > 0
        for name in FIELDS:
            np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=atol)
        np.testing.assert_allclose(
            one.association.scores, two.association.scores, rtol=0, atol=atol
        )


def test_a_session_gives_what_tracking_a_video_gives(tracker, videos):
    tracks = alone(tracker, videos[0])
    samples = [s for *_, s in track_frames(tracker.model, enumerate(videos[0], 1))]
    for one, sample in zip(tracks, samples):
        found = sample.pred_track_instances
        for ours, theirs in (
            (one.ids, found.instances_id),
            (one.boxes_xyxy, found.bboxes),
            (one.scores, found.scores),
            (one.labels, found.labels),
        ):
            assert torch.equal(torch.from_numpy(ours), theirs)
    assert [t.frame for t in tracks] == [1, 2, 3, 4, 5]


def test_interleaved_sessions_are_exactly_those_alone(tracker, videos):
    sessions = [tracker.session(), tracker.session()]
    found = [[], []]
    for pair in zip(*videos):
        for place in (0, 1):
            found[place].append(sessions[place].push(pair[place]))
    for place in (0, 1):
        assert_equal(found[place], alone(tracker, videos[place]))


def test_sessions_encoded_as_one_batch(tracker, videos, monkeypatch):
    """Three cameras, two of one size: one call of encode for each frame of all (the config resizes
    every frame to one size), and the tracks of each alone.
    """
    streams = [videos[0], videos[1], videos[0][::-1]]
    batches = []
    encode = tracker.model.encode

    def counted(images, shapes):
        batches.append(len(images))
        return encode(images, shapes)

    monkeypatch.setattr(tracker.model, 'encode', counted)
    sessions = [tracker.session() for _ in streams]
    found = [tracker.push_all(sessions, frames) for frames in zip(*streams)]
    assert batches == [3] * 5
    for place, stream in enumerate(streams):
        assert_equal([f[place] for f in found], alone(tracker, stream), BATCH_TOLERANCE)
    # no more than the config's limit at once
    del batches[:]
    monkeypatch.setattr(tracker.model, 'encode_ahead', 2)
    for session in sessions:
        session.reset()
    again = tracker.push_all(sessions, [stream[0] for stream in streams])
    assert batches == [2, 1]
    assert_equal(again, found[0], BATCH_TOLERANCE)


def test_reset_starts_a_video(tracker, videos):
    session = tracker.session()
    first = [session.push(image) for image in videos[0]]
    session.reset()
    assert_equal([session.push(image) for image in videos[0]], first)


def test_ages_and_objects_tell_the_story(tracker, videos):
    born = {}
    for tracks in alone(tracker, videos[0]):
        for track_id, age, row in zip(tracks.ids, tracks.ages, tracks.objects):
            born.setdefault(track_id, tracks.frame)
            assert age == tracks.frame - born[track_id]
            matched = tracks.association.matches
            if row >= 0 and age > 0:
                column = matched[matched[:, 0] == row][0, 1]
                assert tracks.association.tracklet_ids[column] == track_id


def test_dropped_frames_are_time(tracker, videos):
    """Up to the memory of the lifecycle (30 frames) tracks go on, and are older; beyond it all end,
    and the session is that of a new video but for its ids.
    """
    image = videos[0][0]
    session = tracker.session()
    first = session.push(image, 7)
    assert set(session.push(image, 38).ids) & set(first.ids)
    late = session.push(image, 38 + 32)
    assert not set(late.ids) & set(first.ids) and (late.ages == 0).all()
    fresh = tracker.session().push(image)
    np.testing.assert_allclose(late.boxes_xyxy, fresh.boxes_xyxy, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match=r'frame 70 comes after frame 70'):
        session.push(image, 70)


def test_a_refused_frame_changes_no_session(tracker, videos):
    sessions = [tracker.session(), tracker.session()]
    image = videos[0][0]
    with pytest.raises(ValueError, match='frame 1 is float64'):
        tracker.push_all(sessions, [image, image.astype(float)])
    assert_equal([sessions[0].push(image)], [tracker.session().push(image)])
    with pytest.raises(ValueError, match='2 sessions, 1 frames'):
        tracker.push_all(sessions, [image])
    with pytest.raises(ValueError, match='twice'):
        tracker.push_all([sessions[0]] * 2, [image, image])


def test_a_batch_of_sessions_is_a_recording(tracker, videos, recorded, monkeypatch):
    """With ``cuda_graphs``, frames are encoded as in `predict`; on a CPU, recorded by running."""
    expected = [alone(tracker, video) for video in videos]
    assert not recorded
    monkeypatch.setattr(tracker.model, 'cuda_graphs', True)
    sessions = [tracker.session() for _ in videos]
    found = zip(*(tracker.push_all(sessions, pair) for pair in zip(*videos)))
    for ours, theirs in zip(found, expected):
        assert_equal(ours, theirs, BATCH_TOLERANCE)
    encoded = [key for key in recorded if len(key) == 1]
    assert [key[0][0] for key in encoded] == [len(videos)]
