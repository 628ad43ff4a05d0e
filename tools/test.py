"""Test a checkpoint: `python tools/test.py CONFIG CHECKPOINT [options]`, as `lamotr test`."""

from lamotr_mm.apis.cli import run


def main(argv: list[str] | None = None) -> None:
    """Run the command; a wrong argument prints one line and exits with status 2."""
    run(argv, 'test', 'test.py')


if __name__ == '__main__':
    main()
