"""Every peer on the detections of the synthetic weights, four videos of each difficulty."""

_base_ = './peers_people.py'

title = "Peers on LA-MOTR's detections: synthetic video"
data = 'synthetic'
data_options = {'test_dataloader.dataset.num_videos': 16}

rows = [
    dict(
        name='LA-MOTR',
        config='../lamotr_synthetic.py',
        weights='demo/weights/lamotr_synthetic.pth',
    ),
    *_base_.rows[1:],
]
