"""Whether more or less of a metric is better, for hooks that choose by it."""

# of `TrackingMetric`
TRACKING = dict(
    **dict.fromkeys(('HOTA', 'DetA', 'AssA', 'LocA', 'MOTA', 'IDF1', 'MT'), 'greater'),
    **dict.fromkeys(('IDSW', 'FP', 'FN', 'ML', 'overlapping_pairs'), 'less'),
)
# of `AssociationMetricHook`, where there is something to count
ASSOCIATION = dict(
    asso_precision='greater',
    asso_recall='greater',
    asso_f1='greater',
    asso_carried='greater',
    overlapping_live_pairs='less',
)


def rule_of(metric: str) -> str | None:
    """mmengine's comparison rule for a metric of this package.

    The last part of the name decides: a sequence or class in front of it, as in
    ``track/laptop/FP``, may be called anything (mmengine would find ``top`` in it).

    Args:
        metric (str): Name in the log, such as ``track/HOTA``.

    Returns:
        str | None: ``greater``, ``less``, or None for a metric that is not ours.
    """
    return (TRACKING | ASSOCIATION).get(metric.rsplit('/', 1)[-1])
