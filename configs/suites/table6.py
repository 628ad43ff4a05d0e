"""Table 6 of the paper: the update of the tracklet queries, on synthetic video."""

title = 'Table 6: query update'
data = 'synthetic'
data_options = {'test_dataloader.dataset.num_videos': 16}
budget = 2400
reference = 'weighted sum'

rows = [
    dict(name='TAN', config='../ablations/tan_synthetic.py'),
    dict(name='TIM', config='../ablations/tim_synthetic.py'),
    dict(name='weighted sum', config='../lamotr_synthetic.py'),
]
