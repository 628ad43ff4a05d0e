"""Table 4 of the paper: six ways of association, on synthetic video."""

title = 'Table 4: association'
data = 'synthetic'
data_options = {'test_dataloader.dataset.num_videos': 16}
budget = 2400
reference = 'SGLA'

rows = [
    dict(name='IoU', config='../ablations/iou_synthetic.py'),
    dict(name='Feature', config='../ablations/feature_synthetic.py'),
    dict(name='Combination', config='../ablations/combination_synthetic.py'),
    dict(name='Single decoder', config='../ablations/single-decoder_synthetic.py'),
    dict(name='SGLA w/o RSC', config='../ablations/no-spatial-cue_synthetic.py'),
    dict(name='SGLA', config='../lamotr_synthetic.py'),
]
