"""Checkpoint files: whether they are whole and fit a model, and how other projects' become ours.

What belongs here reads and writes names and shapes of weights, without building or running the
tracker. May import: nothing of ours.
"""
