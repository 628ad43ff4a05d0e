"""Train a model: `python tools/train.py CONFIG [options]`, as `lamotr train`."""

from lamotr_mm.apis.cli import run


def main(argv: list[str] | None = None) -> None:
    """Run the command; a wrong argument prints one line and exits with status 2."""
    run(argv, 'train', 'train.py')


if __name__ == '__main__':
    main()
