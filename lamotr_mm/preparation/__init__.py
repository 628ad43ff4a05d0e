"""From downloads and annotations to the json that configs read, and checks of what is there.

What belongs here runs once before training: official data sets and their splits, CrowdHuman,
conversion of annotations to CocoVID json, synthetic video written to disk, and what the command
lines that do this share. May import: io, datasets, visualization.
"""
