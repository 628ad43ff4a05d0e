"""What commands of `lamotr` share: mmdet's form of options, errors of one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand

from lamotr_mm.compat import check_dependencies


class MMDetCommand(TyperCommand):
    """A command that takes options as mmdet's tools do: several values behind one
    ``--cfg-options``, ``--split``, ``--classes`` or ``--videos``, and none behind ``--resume``.
    """

    SEVERAL = ('--cfg-options', '--split', '--classes', '--videos')

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Bring the arguments into the form that Typer knows: one value behind each option."""
        return super().parse_args(ctx, self._spread(args))

    def _spread(self, args: list[str]) -> list[str]:
        spread: list[str] = []
        option = None
        for place, arg in enumerate(args):
            following = args[place + 1] if place + 1 < len(args) else '--'
            if arg.startswith('--'):
                option = arg if arg in self.SEVERAL else None
                if option is None or following.startswith('--'):
                    spread.append(arg)
                if arg == '--resume' and following.startswith('--'):
                    spread.append('auto')
            else:
                spread += [arg] if option is None else [option, arg]
        return spread


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What a user can mend becomes one line and exit status 2."""
    try:
        yield
    except ImportError as error:
        try:
            check_dependencies()
        except ImportError as missing:
            raise typer.TyperException(str(missing)) from error
        raise
    except (ValueError, OSError, FloatingPointError) as error:
        raise typer.TyperException(str(error)) from error
