"""One clip of PETS09-S2L1: the tiny model learns it."""

import csv

import cv2
import numpy as np
import torch

FRAMES, SIZE = (1, 6, 11), (144, 192)


def read_clip(folder):
    """Frames ``(T, 3, H, W)`` at a quarter of their size, and ``{id: xyxy}`` of each."""
    video = cv2.VideoCapture(str(folder / 'video.avi'))
    images = {}
    for number in range(1, max(FRAMES) + 1):
        _, image = video.read()
        images[number] = cv2.resize(image, SIZE[::-1], interpolation=cv2.INTER_AREA)
    targets = {number: {} for number in FRAMES}
    with open(folder / 'gt' / 'gt.txt') as rows:
        for number, identity, x, y, w, h, *_ in csv.reader(rows):
            if int(number) in targets:
                x, y, w, h = (float(value) / 4 for value in (x, y, w, h))
                targets[int(number)][int(identity)] = [x, y, x + w, y + h]
    inputs = np.stack([images[number] for number in FRAMES]).transpose(0, 3, 1, 2)
    return torch.from_numpy(inputs).float(), [targets[number] for number in FRAMES]


def test_the_loss_falls_on_a_real_clip(lamotr_data, build_tiny, make_clip):
    inputs, targets = read_clip(lamotr_data / 'pets09_s2l1')
    assert all(len(frame) >= 3 for frame in targets)
    model = build_tiny({'clip_tracklets.score_thr': 0.0, 'clip_tracklets.iou_thr': -1.0})
    model.init_weights()
    clip = make_clip(targets, img_shape=SIZE)
    inputs = model.data_preprocessor(dict(inputs=[inputs], data_samples=[clip]))['inputs']
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-3)
    totals, associations = [], []
    for _ in range(8):
        losses = model.loss(inputs, [clip])
        loss = sum(value for name, value in losses.items() if 'loss' in name)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        totals.append(float(loss))
        associations.append(float(losses['loss_asso']))
    assert np.isfinite(totals).all()
    assert totals[-1] < 0.9 * totals[0]
    assert associations[0] > 0
    # every target of frame 2 and 3 that was there before meets its tracklet
    carried = [
        set(a) & (set(b) | set(c)) for a, b, c in zip(targets[1:], targets, [{}, targets[0]])
    ]
    assert losses['tck_total'] == sum(map(len, carried))
