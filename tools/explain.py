"""Why this id: `python tools/explain.py INPUT [options]`, as `lamotr explain`."""

from lamotr_mm.apis.cli import run


def main(argv: list[str] | None = None) -> None:
    """Run the command; a wrong argument prints one line and exits with status 2."""
    run(argv, 'explain', 'explain.py')


if __name__ == '__main__':
    main()
