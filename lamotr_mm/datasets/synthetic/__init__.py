"""Synthetic video: a script (scene.py), what it looks like (figure.py, scenery.py), its frames
(render.py), and the data set (dataset.py)."""

from .dataset import LoadSyntheticFrame, SyntheticVideoDataset

__all__ = ['LoadSyntheticFrame', 'SyntheticVideoDataset']
