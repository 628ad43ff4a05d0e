import numpy as np
import pytest

from lamotr_mm.io.mot_rows import as_rows, check_unique_ids, read_rows, write_results


def test_rows_of_a_result_file_read_back(tmp_path):
    rows = np.array(
        [
            [452, 1, 10.5, 20.25, 30.0625, 40, 0.875, 1],
            [451, 3, 1, 2, 3, 4, 0.5, 1],
            [451, 1, 5, 6, 7, 8, 0.75, 1],
        ]
    )
    write_results(tmp_path / 'new', {'PETS': rows})
    assert (tmp_path / 'new' / 'PETS.txt').read_text() == (
        '451,1,5.0000,6.0000,7.0000,8.0000,0.750000,-1,-1,-1\n'
        '451,3,1.0000,2.0000,3.0000,4.0000,0.500000,-1,-1,-1\n'
        '452,1,10.5000,20.2500,30.0625,40.0000,0.875000,-1,-1,-1\n'
    )
    back = read_rows(tmp_path / 'new' / 'PETS.txt')
    np.testing.assert_array_equal(back[:, :7], rows[[2, 1, 0], :7])


def test_ids_are_written_from_1_and_the_class_only_on_request(tmp_path):
    rows = np.array([[1, 0, 0, 0, 5, 5, 1, 2], [1, 7, 9, 9, 5, 5, 1, 1]], dtype=float)
    write_results(tmp_path, {'a': rows}, with_class=True)
    written = read_rows(tmp_path / 'a.txt')
    assert written[:, 1].tolist() == [1, 8]
    assert written[:, 7].tolist() == [2, 1]
    rows[0, 1] = -3
    with pytest.raises(ValueError, match='a: track id -3'):
        write_results(tmp_path, {'a': rows})


def test_a_failed_write_leaves_the_older_file(tmp_path):
    write_results(tmp_path, {'a': np.empty((0, 8))})
    with pytest.raises(TypeError):
        write_results(tmp_path, {'a': np.array([[1, 1, 0, 0, 5, 5, None, 1]], dtype=object)})
    assert [file.name for file in tmp_path.iterdir()] == ['a.txt']
    assert (tmp_path / 'a.txt').read_text() == ''
    assert read_rows(tmp_path / 'a.txt').shape == (0, 8)


def test_rows_are_checked():
    good = [1, 1, 0, 0, 5, 5, 1]
    assert as_rows([good], 'x')[0].tolist() == [*good, -1]
    assert as_rows([], 'x').shape == (0, 8)
    with pytest.raises(ValueError, match=r'x, frame 3, id 8: the box .* is not finite'):
        as_rows([good, [3, 8, 0, np.nan, 5, 5, 1]], 'x')
    for size in ((-5, 5), (5, -0.1)):
        with pytest.raises(ValueError, match=r'x, frame 3, id 8: .* negative width or height'):
            as_rows([good, [3, 8, 0, 0, *size, 1]], 'x')
    assert as_rows([[1, 1, 0, 0, 0, -0.0, 1]], 'x')[0, 2:6].tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match=r'frame 1\.5 and id 1 should be integers'):
        as_rows([[1.5, *good[1:]]], 'x')
    with pytest.raises(ValueError, match=r'x: expected rows .* shape \(1, 3\)'):
        as_rows([[1, 2, 3]], 'x')
    with pytest.raises(ValueError, match='x, frame 1: id 1 occurs more than once'):
        check_unique_ids(as_rows([good, good], 'x'), 'x')


def test_a_broken_file_is_named(tmp_path):
    file = tmp_path / 'gt.txt'
    file.write_text('1,1,0,0,5,5,1\n1,2,0,zero,5,5,1\n')
    with pytest.raises(ValueError, match=r'gt\.txt: .*zero'):
        read_rows(file)
