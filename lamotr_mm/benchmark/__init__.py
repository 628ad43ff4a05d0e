"""Several trackers trained alike, scored on the same frames and laid side by side in one report.

What belongs here plans and runs a benchmark: which runs a suite asks for, which of them are there
already, and what their numbers say. The network is not known here, tools/train.py and the test loop
of a config do the work. May import: io, datasets, evaluation, visualization, engine, preparation,
apis, peers.
"""
