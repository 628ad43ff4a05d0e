"""Our open decisions (docs/model.md), one at a time, on synthetic video."""

title = 'Where the paper is silent'
data = 'synthetic'
data_options = {'test_dataloader.dataset.num_videos': 16}
budget = 2400
reference = 'as shipped'

rows = [
    dict(name='as shipped', config='../lamotr_synthetic.py'),
    dict(name='anchor cue', config='../ablations/anchor-cue_synthetic.py'),
    dict(name='scaled cue', config='../ablations/scaled-spatial-cue_synthetic.py'),
    dict(name='M from logits', config='../ablations/edge-logits_synthetic.py'),
    dict(name='separate attention', config='../ablations/separate-attention_synthetic.py'),
    *(
        dict(
            name=f'L = {layers}',
            config='../lamotr_synthetic.py',
            overrides={'model.sgla.num_layers': layers},
        )
        for layers in (1, 4)
    ),
    *(
        dict(
            name=f'clips of {frames}',
            config='../lamotr_synthetic.py',
            overrides={'train_dataloader.dataset.pipeline.0.clip_len': frames},
        )
        for frames in (2, 4, 5)
    ),
]
