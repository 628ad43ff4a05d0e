"""Archives, folders and links of downloads."""

import os
import tarfile
import zipfile
from collections import namedtuple

import pytest

from lamotr_mm.io import archives
from lamotr_mm.io.archives import Archive, check_space, find_archives, find_folders, link


@pytest.fixture
def files(tmp_path):
    """A folder, packed as zip and as tar."""
    source = tmp_path / 'source'
    (source / 'a' / 'b').mkdir(parents=True)
    (source / 'a' / 'one.txt').write_text('one')
    (source / 'a' / 'b' / 'two.txt').write_text('two two')
    (source / 'a' / 'link.txt').symlink_to('one.txt')
    with tarfile.open(tmp_path / 'x.tar', 'w') as tar:
        tar.add(source / 'a', 'a')
    with zipfile.ZipFile(tmp_path / 'x.ZIP', 'w', zipfile.ZIP_DEFLATED) as packed:
        for file in ('a/', 'a/one.txt', 'a/b/two.txt'):
            packed.write(source / file, file)
        packed.writestr('a/../../evil.txt', 'evil')
        packed.writestr('__MACOSX/a/._one.txt', 'metadata')
    return tmp_path


@pytest.mark.parametrize('name', ['x.tar', 'x.ZIP'])
def test_files_of_an_archive(files, name):
    """No folders, links, metadata of macOS, or paths that lead out of it."""
    archive = Archive(files / name)
    assert archive.sizes == {'a/one.txt': 3, 'a/b/two.txt': 7}
    archive.copy('a/b/two.txt', files / 'new' / 'folder' / 'copy.txt')
    assert (files / 'new' / 'folder' / 'copy.txt').read_text() == 'two two'


@pytest.mark.parametrize('name', ['x.tar', 'x.ZIP'])
def test_no_archive(files, name):
    (files / name).write_bytes(b'<html>quota exceeded</html>' * 100)
    with pytest.raises(ValueError, match=rf'{name}: cut off or damaged \(.*download it again'):
        Archive(files / name)


def test_finding(files):
    """Archives of two levels; folders of four, without frames and hidden ones."""
    (files / 'more' / 'deep' / 'deeper' / 'deepest' / 'too_deep').mkdir(parents=True)
    (files / '.hidden').mkdir()
    (files / 'more' / 'img1').mkdir()
    for place in ('more/y.zip', 'more/deep/z.zip', 'more/notes.txt'):
        (files / place).touch()
    assert [f.name for f in find_archives(files)] == ['y.zip', 'x.ZIP', 'x.tar']
    assert find_archives(files / 'x.tar') == [files / 'x.tar']
    names = [f.relative_to(files).as_posix() for f in find_folders(files)]
    assert names == [
        'more',
        'more/deep',
        'more/deep/deeper',
        'more/deep/deeper/deepest',
        'source',
        'source/a',
        'source/a/b',
    ]


def test_links(tmp_path):
    """Absolute from outside, relative within; one that leads nowhere is replaced, no other."""
    (tmp_path / 'outside').mkdir()
    (tmp_path / 'root' / 'inside').mkdir(parents=True)
    root, target = tmp_path / 'root', tmp_path / 'root' / 'train' / 'x'
    link(tmp_path / 'outside', target, root)
    assert os.readlink(target) == str(tmp_path / 'outside')
    with pytest.raises(FileExistsError):
        link(root / 'inside', target, root)
    (tmp_path / 'outside').rmdir()
    link(root / 'inside', target, root)
    assert os.readlink(target) == '../inside'


def test_space(tmp_path, monkeypatch):
    """Of the first folder that exists."""
    usage = namedtuple('usage', 'free')
    asked = []
    monkeypatch.setattr(
        archives.shutil, 'disk_usage', lambda path: asked.append(path) or usage(3 * 10**9)
    )
    check_space(tmp_path / 'new' / 'folder', [10**9, 2 * 10**9])
    assert asked == [tmp_path]
    with pytest.raises(OSError, match=r'unpacking takes 3\.5 GB, 3\.0 are free'):
        check_space(tmp_path, [10**9, 25 * 10**8])
