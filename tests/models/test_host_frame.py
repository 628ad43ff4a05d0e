"""What passes between device and host in a frame, against the tensors it stands for."""

import numpy as np
import torch

from lamotr_mm.models.host_frame import pack_scores, upload_decisions
from lamotr_mm.models.structures import FrameOutput
from lamotr_mm.tracking.lifecycle import FrameTracks
from lamotr_mm.tracking.tracked_frame import unpack_scores


def output_of(objects, slots, classes=3):
    """Random output of a frame, of which the detections are not read."""
    generator = torch.Generator().manual_seed(objects)
    rand = [
        torch.randn(size, generator=generator, dtype=torch.float64)
        for size in (
            (1, objects + slots, 8),
            (2, 1, objects + slots, classes),
            (2, 1, objects + slots, 4),
            (1, objects, slots),
        )
    ]
    embeds, logits, boxes, association = rand
    return FrameOutput(None, embeds, logits, boxes.sigmoid(), association)


def test_packed_and_unpacked():
    for objects, slots in ((5, 3), (1, 1), (4, 16)):
        output = output_of(objects, slots)
        packed = pack_scores(output)
        assert packed.dtype == torch.float32
        assert packed.shape == (6 * (objects + slots) + objects * slots,)
        scores = unpack_scores(packed.numpy(), objects, (480, 720))

        probabilities = 1 / (1 + np.exp(-output.logits[-1, 0].numpy()))
        cx, cy, w, h = output.boxes_cxcywh[-1, 0].numpy().T
        corners = 720 * (cx - w / 2), 480 * (cy - h / 2), 720 * (cx + w / 2), 480 * (cy + h / 2)
        boxes = np.stack(corners, 1)
        for part, kind in ((slice(objects), 'object'), (slice(objects, None), 'tracklet')):
            found = [getattr(scores, f'{kind}_{n}') for n in ('scores', 'labels', 'boxes_xyxy')]
            assert [f.dtype for f in found] == [np.float32, np.int64, np.float32]
            np.testing.assert_allclose(found[0], probabilities[part].max(1), rtol=1e-6)
            assert found[1].tolist() == probabilities[part].argmax(1).tolist()
            np.testing.assert_allclose(found[2], boxes[part], rtol=1e-5, atol=1e-4)
        association = 1 / (1 + np.exp(-output.asso_logits[0].numpy()))
        np.testing.assert_allclose(scores.association, association, rtol=1e-6)


def test_decisions_arrive_as_they_are():
    slots = 4
    tracks = FrameTracks(
        *[np.zeros(0)] * 6,
        object_index=np.array([2, -1, 7, -1]),
        present=np.array([True, False, False, True]),
        born=np.array([False, False, True, False]),
        valid=np.array([True, True, True, False]),
        objects=np.zeros(0),
        matches=np.zeros((0, 2)),
    )
    decisions = upload_decisions(tracks, torch.device('cpu'))
    assert decisions.object_index.dtype == torch.int64
    for name, value in decisions._asdict().items():
        assert value.shape == (1, slots)
        assert value.dtype == (torch.int64 if name == 'object_index' else torch.bool)
        assert value[0].tolist() == getattr(tracks, name).tolist(), name
