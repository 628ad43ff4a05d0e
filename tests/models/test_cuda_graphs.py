"""Recorded frames: keys, buffers and waits on any machine; on a GPU, graphs against eager ones."""

import warnings

import pytest
import torch
from small_detector import TAKES
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from lamotr_mm.apis.inferencer import init_model
from lamotr_mm.models import cuda_graphs, lamotr, proposals
from lamotr_mm.models.cuda_graphs import Graphed, check_cuda_graphs
from lamotr_mm.tracking.state import TrackletState

CPU = torch.device('cpu')
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')


def test_a_recording_for_each_key():
    """Shape, dtype and every other value are the key; results live in the same tensors."""
    recordings = []

    def capture(function):
        result = function()
        recordings.append(result.shape)
        return result, lambda: result.copy_(function())

    graphed = Graphed(lambda pair, sizes: pair[0] * 2 + pair[1] + sizes[0], capture)
    one, two = torch.arange(3.0), torch.ones(3)
    first = graphed((one, two), [(5)])
    assert first.tolist() == [6, 8, 10]
    second = graphed((one + 1, two * 0), [(5)])
    assert second is first and second.tolist() == [7, 9, 11]
    assert one.tolist() == [0, 1, 2], 'the arguments are overwritten'
    assert len(recordings) == 1
    for args in (((one, two), [6]), ((one[:2], two[:2]), [5]), ((one.double(), two), [5])):
        graphed(*args)
    assert len(recordings) == 4
    graphed((one, two), [5])
    assert len(recordings) == 4


def test_recordings_that_are_not_used_are_forgotten(monkeypatch):
    monkeypatch.setattr(cuda_graphs, 'MOST_GRAPHS', 2)
    sizes = []

    def capture(function):
        result = function()
        sizes.append(len(result))
        return result, lambda: None

    graphed = Graphed(torch.Tensor.clone, capture)
    for size in (1, 2, 1, 3, 1, 2):
        graphed(torch.zeros(size))
    assert sizes == [1, 2, 3, 2]


def test_tracks_are_those_of_eager_frames(build_tiny, images, recorded):
    """With births that outgrow the slots, and two image sizes."""
    overrides = {'tracklet_slots': 2, 'lifecycle.det_thr': 0.0, 'lifecycle.new_thr': 0.0}
    overrides |= {'lifecycle.birth_iou': 1.0, 'lifecycle.keep_thr': 0.0, 'lifecycle.keep_iou': 1.0}
    model = build_tiny(overrides).eval()
    videos = [images(1, 3)[0], images(1, 3, seed=1, size=(96, 64))[0]]

    def tracked(video):
        session, frames = model.new_session(), []
        with torch.no_grad():
            for image in video:
                features = model.encode_frames(image[None], [tuple(image.shape[-2:])])
                frames.append(model.track_frame(session, features, (64, 96)))
        return frames

    expected = [tracked(video) for video in videos]
    assert not recorded
    model.cuda_graphs = True
    ours = [tracked(video) for video in (*videos, videos[0])]
    for one, two in zip([*expected, expected[0]], ours, strict=True):
        for eager, graphed in zip(one, two, strict=True):
            assert eager.tracks.ids.tolist() == graphed.tracks.ids.tolist()
            assert len(eager.tracks.ids) > 2
            torch.testing.assert_close(graphed.scores, eager.scores, rtol=1e-5, atol=1e-5)
    slots = max(frame.tracks.valid.size for frame in ours[0])
    encoded = [key for key in recorded if len(key) == 1]
    # of the memory of features, and of `valid`, which comes before the memory of the update
    decoded = [(key[0], key[-2]) for key in recorded if len(key) > 1]
    assert encoded == [[(1, 3, 64, 96)], [(1, 3, 96, 64)]]
    assert slots > 2 and {s for _, (_, s) in decoded} >= {2, slots}
    # both sizes have as many tokens, but levels of other shapes: each has its recordings
    assert len(decoded) == 2 * len(set(decoded)) == 2 * len({s for _, (_, s) in decoded})

    model.float()  # weights may have moved
    assert not model._graphs


class HostReads(TorchDispatchMode):
    """Operations whose result the host, or the shape of another tensor, depends on."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in ('_local_scalar_dense', 'nonzero', 'masked_select', '_unique2', 'is_nonzero'):
            self.names.append(name)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    'parts',
    [
        {'sotd_head.type': 'lamotr_mm.SOTDHead'},
        {'sotd_head.type': 'lamotr_mm.DeformableSOTDHead'},
        TAKES,
    ],
    ids=['anchors', 'positions', 'proposals'],
)
@pytest.mark.parametrize('img_shape', [(64, 96), (60, 90)])
def test_the_host_reads_once_a_frame(build_tiny, images, monkeypatch, parts, img_shape):
    monkeypatch.setattr(proposals, 'has_fixed_shapes', lambda tensor: True)  # as on a GPU
    model = build_tiny(parts).eval()
    reads, to_host = [], lamotr._to_host
    monkeypatch.setattr(lamotr, '_to_host', lambda x: (reads.append(x.shape), to_host(x))[1])
    session = model.new_session()
    with torch.no_grad(), HostReads() as others:
        for image in images(1, 3)[0]:
            model.track_frame(session, model.encode(image[None], [img_shape]), (64, 96))
    objects, slots = model.sotd_head.num_queries, session.table.slots
    assert reads == [(6 * (objects + slots) + objects * slots,)] * 3
    assert others.names == []


@pytest.mark.parametrize('parts', [{}, TAKES], ids=['plain', 'proposals'])
def test_the_test_loop_is_recorded(build_tiny, images, make_clip, monkeypatch, recorded, parts):
    """`predict`, with frames ahead; tracks are those of eager frames."""
    monkeypatch.setattr(proposals, 'has_fixed_shapes', lambda tensor: True)
    parts = parts | {'lifecycle.det_thr': 0.0, 'lifecycle.new_thr': 0.0, 'encode_ahead': 2}
    parts |= {'out_score_thr': 0.0, 'out_min_area': 0.0}
    model = build_tiny(parts).eval()
    results = []
    for model.cuda_graphs in (False, True):
        video = make_clip([{}] * 5)
        model.predict(images(1, 5), [video], model.new_session())
        results.append([frame.pred_track_instances for frame in video])
    for eager, graphed in zip(*results, strict=True):
        assert len(eager) > 0
        assert eager.instances_id.tolist() == graphed.instances_id.tolist()
        torch.testing.assert_close(eager.bboxes, graphed.bboxes)
    # two frames ahead, and the last one
    assert [k for k in recorded if len(k) == 1] == [[(2, 3, 64, 96)], [(1, 3, 64, 96)]]
    assert len([k for k in recorded if len(k) > 1]) > 0


def test_shapes_depend_on_slots_alone(build_tiny, images):
    """Of everything that is recorded, whoever lives."""
    model = build_tiny().eval()
    shapes = []
    for image, live in zip(images(1, 2)[0], (0, 3)):
        with torch.no_grad():
            features = model.encode(image[None], [(64, 96)])
            state = TrackletState.empty(1, 4, features.memory)
            state.valid[:, :live] = True
            shapes.append(
                [
                    x.shape
                    for x in pytree.tree_leaves(model._decode_and_pack(features, state))
                    if x is not None
                ]
            )
    assert shapes[0] == shapes[1]


def test_without_a_gpu(tiny_config):
    with pytest.raises(ValueError, match=r'cuda_graphs=True needs a GPU, but the model is on cpu'):
        check_cuda_graphs(CPU)
    from mmengine.config import Config

    config = Config(dict(model=tiny_config({'cuda_graphs': True}), default_scope='mmdet'))
    with pytest.raises(ValueError, match='leave it out'):
        init_model(config, device='cpu')
    assert not init_model(config, device='cpu', cuda_graphs=False).cuda_graphs


def test_another_precision_is_another_recording(build_tiny, recorded):
    model = build_tiny().eval()
    model.cuda_graphs = True
    full = model._graphed('encode')
    assert model._graphed('encode') is full
    model.precision = 'bf16'
    assert model._graphed('encode') is not full


# ---------------------------------------------------------------- on a GPU


@needs_gpu
@pytest.mark.parametrize('precision', ['fp32', 'bf16', 'fp16'])
@pytest.mark.parametrize('parts', [{}, TAKES], ids=['plain', 'proposals'])
def test_graphs_equal_eager_frames(build_tiny, images, precision, parts):
    model = build_tiny({'precision': precision, **parts}).eval().cuda()
    runs = []
    for model.cuda_graphs in (False, True):
        session, scores = model.new_session(), []
        with torch.no_grad():
            for image in images(1, 4)[0].cuda():
                features = model.encode_frames(image[None], [(64, 96)])
                scores.append(model.track_frame(session, features, (64, 96)).scores)
        runs.append(scores)
    torch.testing.assert_close(*runs, rtol=1e-3, atol=1e-3)


@needs_gpu
@pytest.mark.parametrize('graphs', [False, True])
@pytest.mark.parametrize('parts', [{}, TAKES], ids=['plain', 'proposals'])
def test_one_wait_a_frame(build_tiny, images, graphs, parts):
    model = build_tiny({'cuda_graphs': graphs, **parts}).eval().cuda()
    session = model.new_session()
    counts = []
    for image in images(1, 4)[0].cuda():
        with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            torch.cuda.set_sync_debug_mode('warn')
            try:
                features = model.encode_frames(image[None], [(64, 96)])
                model.track_frame(session, features, (64, 96))
            finally:
                torch.cuda.set_sync_debug_mode('default')
        counts.append(sum('synchroniz' in str(warning.message) for warning in caught))
    assert counts[1:] == [1] * 3  # the first one records, and makes what is kept
