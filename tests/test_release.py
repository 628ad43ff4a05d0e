"""One version, date and paper: version.py, CHANGELOG.md, CITATION.cff and README.md agree."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from lamotr_mm.version import __version__

ROOT = Path(__file__).resolve().parents[1]
RELEASE = re.compile(r'^## (\S+) - (\d{4}-\d{2}-\d{2})$', re.MULTILINE)


@pytest.fixture(scope='module')
def citation() -> dict:
    return yaml.safe_load((ROOT / 'CITATION.cff').read_text())


@pytest.fixture(scope='module')
def changelog() -> str:
    return (ROOT / 'CHANGELOG.md').read_text()


def bibtex(text: str) -> dict[str, str]:
    """Field -> value of the one BibTeX entry in a page."""
    entry = re.search(r'```bibtex\n@\w+\{[^,]+,\n(.*?)\n\}', text, re.DOTALL).group(1)
    return dict(re.findall(r'^\s*(\w+)\s*=\s*\{(.+)\},?$', entry, re.MULTILINE))


def test_newest_release_is_the_version_everywhere(citation, changelog):
    version, day = RELEASE.search(changelog).groups()
    assert version == citation['version'] == __version__
    assert citation['date-released'] == date.fromisoformat(day)
    assert str(Version(__version__)) == __version__, 'tags and pip must spell it the same way'


def test_changelog_begins_with_what_is_unreleased_and_goes_back_in_time(changelog):
    sections = re.findall(r'^## (.+)$', changelog, re.MULTILINE)
    assert sections[0] == 'Unreleased'
    found = [(Version(name), date.fromisoformat(day)) for name, day in RELEASE.findall(changelog)]
    assert len(found) == len(sections) - 1, 'a release is written as "## VERSION - DATE"'
    versions, days = zip(*found, strict=True)
    assert list(versions) == sorted(set(versions), reverse=True)
    assert list(days) == sorted(days, reverse=True)


def test_changelog_has_the_groups_of_keep_a_changelog(changelog):
    known = {'Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'}
    assert set(re.findall(r'^### (.+)$', changelog, re.MULTILINE)) <= known


def test_citation_names_the_paper_of_the_readme(citation):
    paper, entry = citation['preferred-citation'], bibtex((ROOT / 'README.md').read_text())
    names = [f'{person["family-names"]}, {person["given-names"]}' for person in paper['authors']]
    assert ' and '.join(names) == entry['author']
    assert paper['title'] == entry['title']
    assert paper['conference']['name'] == entry['booktitle']
    assert str(paper['year']) == entry['year']
