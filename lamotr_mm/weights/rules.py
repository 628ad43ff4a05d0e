"""Tables that rename tensors, and what they made of a state dict.

A pattern is a name with ``*`` for a number and ``**`` for the rest; the wildcards of a target take
what those of its source have matched, in order.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

# parameters of LAMOTR that no detector has
INITIAL = ('sgla.**',)


class Map(NamedTuple):
    """Tensors that are carried over.

    Attributes:
        source: pattern of the names in the file.
        target: pattern of the names in the model; one tensor may fill several targets.
        change: what is done to the values, ``None`` for nothing.
        note: the same in words.
    """

    source: str
    target: str
    change: Callable[[Tensor], Tensor] | None = None
    note: str = ''


class Skip(NamedTuple):
    """Tensors that are left out.

    Attributes:
        source: pattern of the names in the file.
        reason: why they are not needed.
        copy_of: pattern of the tensors that they must equal; empty where they are no copies.
    """

    source: str
    reason: str
    copy_of: str = ''


class Zero(NamedTuple):
    """Tensors that the file may lack and that do nothing at 0.

    Attributes:
        target: pattern of the names in the model.
        reason: why they do nothing.
    """

    target: str
    reason: str


Rule = Map | Skip | Zero


class Conversion(NamedTuple):
    """What became of each tensor.

    Attributes:
        state_dict: name in the model -> tensor.
        sources: name in the model -> name in the file, or the reason of a :class:`Zero`.
        skipped: name in the file -> reason.
        initial: names in the model that keep their initial value.
        applied: each rule that applied, and to how many tensors.
    """

    state_dict: dict[str, Tensor]
    sources: dict[str, str]
    skipped: dict[str, str]
    initial: list[str]
    applied: list[tuple[Rule, int]]


@cache
def _regex(pattern: str) -> re.Pattern:
    groups = {'*': r'(\d+)', '**': r'(.+)'}
    parts = re.split(r'(\*\*|\*)', pattern)
    return re.compile(''.join(groups.get(part, re.escape(part)) for part in parts))


def match(pattern: str, name: str) -> tuple[str, ...] | None:
    """What the wildcards of ``pattern`` stand for in ``name``; ``None`` where it does not fit."""
    found = _regex(pattern).fullmatch(name)
    return found and found.groups()


def fill(pattern: str, values: Iterable[str]) -> str:
    """``pattern`` with its wildcards replaced, in order."""
    remaining = iter(values)
    return re.sub(r'\*\*|\*', lambda _: next(remaining), pattern)


def rename(rules: Iterable[Rule], source: Mapping[str, Tensor]) -> Conversion:
    """Give the tensors of a file the model's names.

    Args:
        rules: each one that matches a name applies to it; :class:`Zero` is for :func:`complete`.
        source: state dict of the file.

    Raises:
        ValueError: a tensor is unknown, has another number of dimensions or of rows than a change
            of its values needs, is no copy where it must be one, or takes the name of another one;
            names it.
    """
    done = Conversion({}, {}, {}, [], [])
    unknown = dict.fromkeys(source)
    for rule in rules:
        if isinstance(rule, Zero):
            continue
        hits = [(name, found) for name in source if (found := match(rule.source, name)) is not None]
        for name, found in hits:
            unknown.pop(name, None)
            if isinstance(rule, Map):
                _put(done, rule, name, found, source[name])
            else:
                _check_copy(rule, name, found, source)
                done.skipped[name] = rule.reason
        if hits:
            done.applied.append((rule, len(hits)))
    if unknown:
        raise ValueError(
            f'{len(unknown)} tensors are unknown, the first is {next(iter(unknown))}: the file is '
            'of another model or of another version of its code'
        )
    return done


def complete(renamed: Conversion, rules: Iterable[Rule], model: Mapping[str, Tensor]) -> Conversion:
    """Check the renamed tensors against a model and add what the file lacks.

    Args:
        renamed: of :func:`rename`.
        rules: of which the :class:`Zero` ones apply.
        model: state dict of the model, for names, shapes and dtypes.

    Raises:
        ValueError: a tensor has no counterpart in the model, another shape or another kind of
            numbers; a parameter of the model that detectors have gets no value. Names the first of
            them.
    """
    state = {}
    for name, value in renamed.state_dict.items():
        origin = renamed.sources[name]
        if name not in model:
            raise ValueError(f'{origin} would become {name}, which the model does not have')
        if value.shape != model[name].shape:
            raise ValueError(
                f'{origin} {tuple(value.shape)} does not fit {name} {tuple(model[name].shape)} of '
                'the model'
            )
        if value.is_floating_point() != model[name].is_floating_point():
            raise ValueError(f'{origin} is {value.dtype}, {name} of the model {model[name].dtype}')
        # a copy: a slice would be saved with all that it was cut from
        state[name] = value.to(model[name].dtype, copy=True)
    sources, applied = dict(renamed.sources), list(renamed.applied)
    for rule in rules:
        if not isinstance(rule, Zero):
            continue
        missing = [name for name in model if name not in state and match(rule.target, name)]
        state |= {name: torch.zeros_like(model[name]) for name in missing}
        sources |= dict.fromkeys(missing, rule.reason)
        if missing:
            applied.append((rule, len(missing)))
    initial = [name for name in model if name not in state]
    for name in initial:
        if all(match(pattern, name) is None for pattern in INITIAL):
            raise ValueError(f'it has nothing for {name} of the model')
    return Conversion(state, sources, renamed.skipped, initial, applied)


def _put(done: Conversion, rule: Map, name: str, found: Iterable[str], value: Tensor) -> None:
    target = fill(rule.target, found)
    if target in done.state_dict:
        raise ValueError(f'both {done.sources[target]} and {name} would become {target}')
    try:
        done.state_dict[target] = value if rule.change is None else rule.change(value)
    except (IndexError, ValueError) as error:
        raise ValueError(f'{name} {tuple(value.shape)} has not the usual shape: {error}') from error
    done.sources[target] = name


def _check_copy(rule: Skip, name: str, found: Iterable[str], source: Mapping[str, Tensor]) -> None:
    if not rule.copy_of:
        return
    original = fill(rule.copy_of, found)
    if original not in source or not torch.equal(source[name], source[original]):
        raise ValueError(f'{name} is not the same as {original}, of which it should be a copy')
