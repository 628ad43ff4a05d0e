"""Weights of other projects' detectors -> the layout of :class:`lamotr_mm.models.LAMOTR`."""
