"""Ranks and address of a distributed start, from the variables of each launcher."""

import os

import pytest

from lamotr_mm.engine.launch import _export_ranks

SLURM = {
    'SLURM_PROCID': '3',
    'SLURM_NTASKS': '4',
    'SLURM_LOCALID': '1',
    'SLURM_NODELIST': 'gpu[07,09]',
}


@pytest.fixture
def environ():
    """The environment, without a launcher's variables; afterwards as it was before."""
    before = dict(os.environ)
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT', *SLURM):
        os.environ.pop(name, None)
    yield os.environ
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def scontrol(tmp_path, environ):
    """Writes a stand-in `scontrol`; its folder is the only one on the path."""
    environ['PATH'] = str(tmp_path)

    def write(script: str) -> None:
        path = tmp_path / 'scontrol'
        path.write_text(f'#!/bin/sh\n{script}\n')
        path.chmod(0o755)

    return write


def test_slurm_address_is_the_first_host(environ, scontrol):
    scontrol('[ "$*" = "show hostnames gpu[07,09]" ] && echo gpu07 && echo gpu09')
    environ.update(SLURM)
    _export_ranks('slurm')
    assert environ['MASTER_ADDR'] == 'gpu07'
    assert environ['MASTER_PORT'] == '29500'
    assert [environ[k] for k in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')] == ['3', '4', '1']


@pytest.mark.parametrize(
    ('script', 'cause'),
    [
        (None, 'No such file'),
        ('echo "slurm_load_node: down" >&2; exit 1', 'slurm_load_node: down'),
        ('exit 3', 'exit status 3'),
    ],
)
def test_slurm_without_an_answer_asks_for_the_address(environ, scontrol, script, cause):
    if script:
        scontrol(script)
    environ.update(SLURM)
    with pytest.raises(ValueError, match=rf'(?s)scontrol show .*{cause}.*set MASTER_ADDR'):
        _export_ranks('slurm')
    assert 'MASTER_ADDR' not in environ


def test_a_given_address_is_kept_without_asking(environ, scontrol):
    scontrol('exit 1')
    environ.update(SLURM, MASTER_ADDR='10.0.0.7', MASTER_PORT='4000')
    _export_ranks('slurm')
    assert (environ['MASTER_ADDR'], environ['MASTER_PORT']) == ('10.0.0.7', '4000')


def test_mpi_variables_become_ranks(environ):
    sizes = {'RANK': '1', 'SIZE': '2', 'LOCAL_RANK': '0'}
    environ.update({f'OMPI_COMM_WORLD_{k}': v for k, v in sizes.items()}, MASTER_ADDR='a')
    _export_ranks('mpi')
    assert [environ[k] for k in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')] == ['1', '2', '0']
