"""Track a video or a folder: `python tools/track.py INPUT [options]`, as `lamotr track`."""

from lamotr_mm.apis.cli import run


def main(argv: list[str] | None = None) -> None:
    """Run the command; a wrong argument prints one line and exits with status 2."""
    run(argv, 'track', 'track.py')


if __name__ == '__main__':
    main()
