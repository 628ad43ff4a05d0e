"""What the benchmark times: a frame in which every tracklet is live and is found again."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from lamotr_mm.apis import benchmark
from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.tracking.lifecycle import FrameScores

TINY = Path(__file__).parents[1] / 'robustness' / 'configs' / 'tiny.py'


@pytest.mark.parametrize('tracklets', [0, 3, 9])
def test_every_tracklet_is_live_and_found(monkeypatch, tracklets):
    """9 do not fit the 4 slots that a video starts with."""
    model = init_model(Config.fromfile(TINY, import_custom_modules=False))
    steps, step = [], type(model.lifecycle).step

    def recorded(lifecycle, table, scores):
        entered = table.ids[table.ids >= 0].tolist()
        result = step(lifecycle, table, scores)
        steps.append((entered, len(result.matches), int(result.born.sum())))
        return result

    monkeypatch.setattr(type(model.lifecycle), 'step', recorded)
    ms = benchmark.measure(model, (64, 96), tracklets, repeat=2)
    assert list(ms) == [*benchmark.parts_of(model), 'lifecycle', 'total']
    assert 'proposals' not in ms
    ids = list(range(1, tracklets + 1))
    assert steps == [(ids, tracklets, 0)] * 6  # warm-up and two, for the total and for the stages


def test_found_objects():
    objects, slots = 5, 4
    some = FrameScores(
        *(np.zeros(objects), np.zeros(objects, int), np.zeros((objects, 4))),
        *(np.zeros(slots), np.zeros(slots, int), np.zeros((slots, 4))),
        association=np.zeros((objects, slots)),
    )
    found = benchmark._all_found(some, 3)
    assert (found.object_scores > 0.5).tolist() == [True, True, True, False, False]
    assert np.argwhere(found.association > 0.5).tolist() == [[0, 0], [1, 1], [2, 2]]


def test_stages_of_a_recorded_frame(recorded, monkeypatch):
    """The total is that of recordings, which know no stages: those are of eager frames."""
    model = init_model(Config.fromfile(TINY, import_custom_modules=False))
    model.cuda_graphs = True
    in_graphs, encode = [], model.encode
    monkeypatch.setattr(
        model, 'encode', lambda *args: in_graphs.append(model.cuda_graphs) or encode(*args)
    )
    ms = benchmark.measure(model, (64, 96), 2, repeat=1)
    assert min(ms.values()) > 0 and model.cuda_graphs
    # recorded, replayed twice (here by running); then the stages of two frames
    assert in_graphs == [True] * 3 + [False] * 2
    assert len(recorded) == 2  # encoding and decoding
