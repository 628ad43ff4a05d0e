"""The faces for users: build a model, track frames or a whole video, measure speed and size.

What belongs here is meant to be called from a notebook or a tool, and only puts parts of the other
rooms together; import from the modules `inferencer`, `track_video`, `benchmark`. May import: io,
datasets, preparation, evaluation, visualization, tracking, models, weights, engine.
"""
