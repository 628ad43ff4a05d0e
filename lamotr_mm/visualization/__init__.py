"""Pictures: tracks, clips, queries and curves, drawn on arrays.

What belongs here draws what it is given and computes no results of its own. May import: io,
tracking.
"""
