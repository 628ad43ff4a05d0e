"""Table 4, IoU: ByteTrack's strategy on SOTD's boxes."""

_base_ = '../lamotr_synthetic.py'

model = dict(
    sgla=dict(_delete_=True, type='lamotr_mm.IoUAssociation'),
    # a matched track goes on from its object's box, as one that a filter corrects
    tracklet_update=dict(anchor='object'),
    criterion=dict(asso_weight=0.0),  # nothing to learn
    lifecycle=dict(type='lamotr_mm.TwoStageLifecycle', gate=0.2, low_gate=0.5),
    out_score_thr=0.0,  # faint objects that were matched, too
)
