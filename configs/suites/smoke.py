"""Whether everything works, in about a minute: tiny trainings, a few small synthetic videos."""

title = 'Smoke: trained weights, a peer, two short trainings'
data = 'synthetic'
data_options = {
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'train_dataloader.dataset.height': 128,
    'train_dataloader.dataset.width': 160,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'test_dataloader.dataset.num_videos': 4,
    'test_dataloader.dataset.video_length': 12,
}
budget = 6

rows = [
    dict(
        name='LA-MOTR',
        config='../lamotr_synthetic.py',
        weights='demo/weights/lamotr_synthetic.pth',
    ),
    dict(name='ByteTrack', config='../peers/bytetrack_people.py', detections='LA-MOTR'),
    dict(name='6 steps, w = 1', config='../lamotr_synthetic.py'),
    dict(
        name='6 steps, w = 0.5',
        config='../lamotr_synthetic.py',
        overrides={'model.tracklet_update.weight': 0.5},
    ),
]
