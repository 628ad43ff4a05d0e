"""Annotations of other tools and data sets, one module a format, each with a function ``read``.

``read(src, media)`` takes the file or folder of the annotations, and where frames or videos are if
not beside them; it gives one `AnnotatedVideo` for each video. `lamotr_mm.preparation.convert` makes
CocoVID json of those.
"""
