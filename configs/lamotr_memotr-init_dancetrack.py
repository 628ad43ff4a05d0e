"""LA-MOTR on DanceTrack that starts from MeMOTR's detector, which has two other settings."""

_base_ = './lamotr_dancetrack.py'

model = dict(
    encoder=dict(positional_encoding=dict(temperature=20)),
    sotd_head=dict(decoder=dict(anchor_eps=1e-5)),
)

# MeMOTR's DanceTrack weights, converted as in docs/weights.md
load_from = 'data/pretrained/lamotr_memotr_dancetrack.pth'
