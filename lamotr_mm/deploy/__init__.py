"""Trained models for other runtimes: ONNX graphs, and tracking with them alone.

`export.py` makes a folder of graphs from a model; `runtime.py` tracks with such a folder, and needs
neither PyTorch nor OpenMMLab: it and what it imports stay free of them. May import: io, tracking,
models.
"""
