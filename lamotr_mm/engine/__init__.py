"""What happens around the model while a Runner works: hooks, reading configs, launching.

What belongs here knows mmengine's Runner and process groups, and nothing of how a frame is
tracked. May import: io, evaluation, visualization, weights.
"""
