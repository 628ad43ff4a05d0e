"""`lamotr convert`: annotations into what configs read."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .cli_parts import MMDetCommand, one_line_errors

AnnotationFormat = Literal[
    'cvat-mot', 'cvat-video', 'kitti', 'visdrone', 'bdd100k', 'label-studio', 'coco-vid'
]

convert_app = typer.Typer(help='Convert annotations to CocoVID json, which the configs read.')


@convert_app.command('mot', cls=MMDetCommand)
def convert_mot(
    data_root: Annotated[
        Path, typer.Argument(help='Folder of the sequences, or of their folders.')
    ],
    split: Annotated[
        list[str] | None,
        typer.Option(metavar='NAME=ITEM[,ITEM...]...', help='Default: train, val, test.'),
    ] = None,
    out_dir: Annotated[Path | None, typer.Option(help='Default: DATA_ROOT/annotations.')] = None,
    benchmark: Annotated[
        Literal['custom', 'mot15', 'mot16', 'mot17', 'mot20', 'dancetrack', 'sportsmot'] | None,
        typer.Option(help='What the classes in gt.txt mean; default: told from the names.'),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option(help='Custom data: names of the classes 1, 2, ...')
    ] = None,
) -> None:
    """MOTChallenge sequences (img1/ or a video, gt/gt.txt).

    An ITEM is a sequence, a folder of sequences, a pattern (train/*FRCNN) or a text file with one
    name a line; with :1-450, :half-train or :half-val some frames of it.
    """
    with one_line_errors():
        from lamotr_mm.preparation.mot2cocovid import convert

        convert(data_root, split, out_dir, benchmark, classes)


@convert_app.command('annotations', cls=MMDetCommand)
def convert_annotations(
    form: Annotated[AnnotationFormat, typer.Argument(metavar='FORMAT')],
    sources: Annotated[list[Path], typer.Argument(metavar='SRC...', help='Files or folders.')],
    out: Annotated[Path, typer.Option(help='data_root of your config.')],
    split: Annotated[str, typer.Option(help='Name of the json.')] = 'train',
    media: Annotated[
        Path | None, typer.Option(help='Video, or folder of videos or images.')
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option(help='Classes to track; default: all.')
    ] = None,
    videos: Annotated[
        list[str] | None, typer.Option(help='Names or patterns of videos; default: all.')
    ] = None,
) -> None:
    """Annotations of CVAT, Label Studio, KITTI, VisDrone, BDD100K or COCO-VID."""
    with one_line_errors():
        from lamotr_mm.preparation.convert import convert_and_print

        convert_and_print(form, sources, out, split, media, classes, videos)
