"""Fig. 5 of the paper: how much of a tracklet's query is new, w = 0.1 to 1, on synthetic video."""

title = 'Fig. 5: the weight w of the query update'
data = 'synthetic'
data_options = {'test_dataloader.dataset.num_videos': 16}
budget = 1200
reference = 'w = 1.0'

rows = [
    dict(
        name=f'w = {tenths / 10}',
        config='../lamotr_synthetic.py',
        overrides={'model.tracklet_update.weight': tenths / 10},
    )
    for tenths in range(1, 11)
]
