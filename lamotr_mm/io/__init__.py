"""The leaf: files, video and image folders, archives, MOTChallenge, CocoVID, annotations.

What belongs here reads or writes a format that exists outside this package, knows nothing of
trackers, and leaves no half-written file behind. May import: nothing of ours.
"""
