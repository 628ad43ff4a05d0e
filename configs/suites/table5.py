"""Table 5 of the paper: what asks in SGLA's attention, on synthetic video."""

title = 'Table 5: attention in SGLA'
data = 'synthetic'
data_options = {'test_dataloader.dataset.num_videos': 16}
budget = 2400
reference = 'concatenation'

rows = [
    dict(name='q objects', config='../ablations/query-objects_synthetic.py'),
    dict(name='q tracklets', config='../ablations/query-tracklets_synthetic.py'),
    dict(name='concatenation', config='../lamotr_synthetic.py'),
]
