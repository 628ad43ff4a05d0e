"""Use LA-MOTR from Python: read frames, track them, write video and MOTChallenge rows.

Import from the modules: `inferencer`, `track_video`, `video_io`. `files` must stay importable
without them, since the metric uses it.
"""
