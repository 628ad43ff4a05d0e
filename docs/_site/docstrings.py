"""griffe: our docstrings as Markdown. They are Google's form with Sphinx's roles."""

import re
from typing import Any

from griffe import Extension, Object

# :class:`~a.b.C` -> `C`, :func:`a.b` -> `a.b`
ROLE = re.compile(r':(?:attr|class|data|func|meth|mod):`(?:~[\w.]*?|\.*)([\w]+|\w[\w.]*)`')
# `    others: those of a base class.`, which are no names of the signature
OTHERS = re.compile(r'^( +)others: (.*\n?(?:\1 +.*\n?)*)', re.MULTILINE)
# `    a, b: what both are.` and its further lines
SHARED = re.compile(r'^( +)(\w+(?:, \w+)+)(: .*\n?(?:\1 +.*\n?)*)', re.MULTILINE)


def markdown(docstring: str) -> str:
    """Roles as code, and one entry for each of the arguments that share one."""
    text = ROLE.sub(r'`\1`', docstring)

    def split(match: re.Match) -> str:
        indent, names, rest = match.groups()
        rest = rest if rest.endswith('\n') else f'{rest}\n'
        all_of_them = ', '.join(f'`{name}`' for name in names.split(', '))
        return ''.join(f'{indent}{name}: {all_of_them}{rest}' for name in names.split(', '))

    others = ''.join(f'\n\nOther arguments: {found}' for _, found in OTHERS.findall(text))
    return SHARED.sub(split, OTHERS.sub('', text)) + others


class Docstrings(Extension):
    """Changes the docstring of every object as it is loaded."""

    def on_instance(self, *, obj: Object, **kwargs: Any) -> None:
        """After an object has been read from the sources."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
