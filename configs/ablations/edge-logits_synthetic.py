"""M is updated from the logits before the softmax, as in the Edge-Augmented Graph Transformer."""

_base_ = '../lamotr_synthetic.py'

model = dict(sgla=dict(edge_update='logits'))
