"""The command `lamotr`: commands from the signatures below.

`tools/train.py`, `tools/test.py` and `tools/track.py` are doors to the commands of these names. The
modules that do the work are imported when a command runs, so that help and completion come soon.
"""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.main import get_command

from lamotr_mm.version import __version__

from .cli_convert import convert_app
from .cli_parts import MMDetCommand, one_line_errors

Precision = Literal['fp32', 'bf16', 'fp16']
Launcher = Literal['none', 'pytorch', 'slurm', 'mpi']
Backend = Literal['torch', 'onnxruntime']
Benchmark = Literal['custom', 'MOT15', 'MOT16', 'MOT17', 'MOT20', 'DanceTrack', 'SportsMOT']

app = typer.Typer(
    name='lamotr',
    help='LA-MOTR: end-to-end multi-object tracking by learnable association.',
    pretty_exceptions_enable=False,
)
app.add_typer(convert_app, name='convert')


def run(argv: list[str] | None = None, command: str | None = None, prog: str = 'lamotr') -> None:
    """Run the command line, or one of its commands under another name.

    An error is one line on stderr and exit status 2. Of the doors in tools/, errors that come
    while a Runner works keep their traceback.

    Raises:
        SystemExit: with a status other than 0.
    """
    whole: Any = get_command(app)
    target = whole if command is None else whole.commands[command]
    try:
        if command is None:
            with one_line_errors():
                status = target.main(argv, prog, standalone_mode=False)
        else:
            status = target.main(argv, prog, standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, 'ctx', None)
        name = context.command_path if context else prog
        print(f'{name}: error: {_one_line(error.format_message())}', file=sys.stderr)
        sys.exit(2)
    if status:
        sys.exit(status)


def main() -> None:
    """Of the console script."""
    run()


def _one_line(message: str) -> str:
    return '; '.join(line.strip() for line in message.splitlines() if line.strip())


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f'lamotr_mm {__version__}')
        raise typer.Exit


@app.callback()
def _lamotr(
    version: Annotated[
        bool, typer.Option('--version', callback=_say_version, is_eager=True, help='Say it.')
    ] = False,
) -> None:
    pass


def _complete_models(incomplete: str) -> list[str]:
    from .model_zoo import list_models

    return [name for name in list_models() if name.startswith(incomplete)]


CfgOptions = Annotated[
    list[str] | None,
    typer.Option(metavar='KEY=VALUE...', help='Change the config, as train_cfg.max_epochs=2.'),
]
LocalRank = Annotated[int | None, typer.Option('--local-rank', '--local_rank', hidden=True)]
ModelName = Annotated[
    str,
    typer.Option(
        '--model',
        '--config',
        help='A name of `lamotr models`, or a config.',
        autocompletion=_complete_models,
    ),
]


@app.command()
def track(
    source: Annotated[
        str,
        typer.Argument(
            metavar='INPUT',
            help='Video, folder or pattern of images, MOTChallenge sequence, number of a camera, '
            'address of a stream.',
        ),
    ],
    model: ModelName = 'lamotr_people',
    weights: Annotated[
        str | None,
        typer.Option('--weights', '--checkpoint', help="Default: the model's own."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help='mp4 with drawn tracks; default <input>_tracked.mp4 here, unless --mot-out or '
            '--show is given.'
        ),
    ] = None,
    mot_out: Annotated[
        str | None, typer.Option(help='MOTChallenge txt: frame,id,x,y,w,h,score,-1,-1,-1.')
    ] = None,
    start: Annotated[int | None, typer.Option(help="First frame, in the input's numbers.")] = None,
    end: Annotated[int | None, typer.Option(help='Last frame.')] = None,
    show: Annotated[bool, typer.Option('--show', help='Show it meanwhile; q ends.')] = False,
    fill_gaps: Annotated[
        int,
        typer.Option(
            metavar='FRAMES', help='Of --mot-out: fill gaps of up to so many frames, at the end.'
        ),
    ] = 0,
    line: Annotated[
        list[str] | None,
        typer.Option(metavar='X1,Y1,X2,Y2', help='Count who crosses it; may be given again.'),
    ] = None,
    polygon: Annotated[
        list[str] | None,
        typer.Option(metavar='X1,Y1,X2,Y2,X3,Y3,...', help='Count who is inside.'),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help='Default cuda:0 if there is a GPU, else cpu.')
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Default: the config's, else fp32.")
    ] = None,
    cuda_graphs: Annotated[
        bool | None,
        typer.Option(
            '--cuda-graphs', help="Replay frames as CUDA graphs; default: the config's choice."
        ),
    ] = None,
    backend: Annotated[
        Backend,
        typer.Option(
            help='onnxruntime: --model is a folder of tools/deploy/export.py; needs no PyTorch.'
        ),
    ] = 'torch',
) -> int:
    """Track a video, a folder of frames, a camera or a stream."""
    try:
        with one_line_errors():
            from .track_command import track_source

            track_source(
                source, model, weights, out, mot_out, start, end, show, fill_gaps,
                line or [], polygon or [], device, precision, cuda_graphs, backend,
            )  # fmt: skip
    except KeyboardInterrupt:
        print('\ninterrupted; unfinished files are removed', file=sys.stderr)
        return 130
    return 0


@app.command('eval', cls=MMDetCommand)
def evaluate(
    ground_truth: Annotated[
        Path,
        typer.Argument(
            metavar='GT', help='gt.txt, sequence folder, or folder of sequences or of NAME.txt.'
        ),
    ],
    tracks: Annotated[Path, typer.Argument(metavar='TRACKS', help='Txt, or folder of NAME.txt.')],
    benchmark: Annotated[
        Benchmark | None,
        typer.Option(help='Whose rules; default: told from the names of the sequences.'),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option(help='Custom data: names of the classes 1, 2, ...')
    ] = None,
) -> None:
    """Score tracks in MOTChallenge files with TrackEval: HOTA, MOTA, IDF1 and their parts."""
    with one_line_errors():
        from lamotr_mm.evaluation import format_table

        from .evaluate_files import evaluate_files

        print(format_table(evaluate_files(ground_truth, tracks, benchmark, classes or ['object'])))


@app.command(cls=MMDetCommand)
def train(
    config: Annotated[str, typer.Argument(help='Config file, as configs/lamotr_pets.py.')],
    work_dir: Annotated[
        str | None,
        typer.Option(help='Logs and checkpoints; default work_dirs/<config name>.'),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar='[FILE]',
            help='Continue from this checkpoint; without a value, from the last in the work dir.',
        ),
    ] = None,
    amp: Annotated[bool, typer.Option('--amp', help='Mixed precision.')] = False,
    auto_scale_lr: Annotated[
        bool,
        typer.Option(
            '--auto-scale-lr',
            help="Scale the learning rate by batch size / the config's base_batch_size.",
        ),
    ] = False,
    cfg_options: CfgOptions = None,
    launcher: Launcher = 'none',
    local_rank: LocalRank = None,
) -> None:
    """Train a model; the options are those of mmdet's tool."""
    with one_line_errors():
        from lamotr_mm.engine.launch import parse_cfg_options

        from . import training

        cfg = training.training_config(
            config, work_dir, resume, amp, auto_scale_lr,
            parse_cfg_options(cfg_options or []), launcher, local_rank,
        )  # fmt: skip
    training.train(cfg)


@app.command(cls=MMDetCommand)
def test(
    config: Annotated[str, typer.Argument(help='Config file, as configs/lamotr_pets.py.')],
    checkpoint: Annotated[str, typer.Argument(help='Weights, as demo/weights/lamotr_pets.pth.')],
    work_dir: Annotated[
        str | None, typer.Option(help='Logs; default work_dirs/<config name>.')
    ] = None,
    out: Annotated[
        str | None, typer.Option(help='Folder for the tracks, one MOTChallenge txt per video.')
    ] = None,
    submission: Annotated[
        str | None,
        typer.Option(
            metavar='FILE.zip',
            help='Track the test split without ground truth, for the test server '
            '(docs/submissions.md).',
        ),
    ] = None,
    show_dir: Annotated[
        str | None, typer.Option(help='Folder for frames with drawn tracks.')
    ] = None,
    show: Annotated[bool, typer.Option('--show', help='Show drawn frames in a window.')] = False,
    precision: Annotated[
        Precision | None, typer.Option(help="Default: the config's, else fp32.")
    ] = None,
    cfg_options: CfgOptions = None,
    launcher: Launcher = 'none',
    local_rank: LocalRank = None,
) -> None:
    """Test a checkpoint on the test data of a config: track, score, draw."""
    with one_line_errors():
        from lamotr_mm.engine.launch import parse_cfg_options

        from . import testing

        cfg = testing.testing_config(
            config, checkpoint, work_dir, out, submission, show_dir, show, precision,
            parse_cfg_options(cfg_options or []), launcher, local_rank,
        )  # fmt: skip
    testing.test(cfg)


@app.command()
def models() -> None:
    """List the models that come with the package."""
    from lamotr_mm.preparation.console import print_table

    from .model_zoo import list_models

    rows = []
    for entry in list_models().values():
        hota = [f'{metrics["HOTA"]:g}' for metrics in entry.results.values()]
        rows.append(
            {
                'model': entry.name,
                'weights': 'yes' if entry.weights and entry.weights.is_file() else '-',
                'HOTA': ' '.join(hota) or '-',
                'trained on': entry.data,
            }
        )
    print_table('models', rows)


@app.command()
def info(
    model: Annotated[
        str | None,
        typer.Argument(
            help='A name of `lamotr models`, or a config.', autocompletion=_complete_models
        ),
    ] = None,
) -> None:
    """Say which versions are installed, or what a model is."""
    with one_line_errors():
        from .describe import describe_model, describe_versions

        for name, value in (describe_model(model) if model else describe_versions()).items():
            print(f'{name}: {value}')


@app.command(cls=MMDetCommand)
def explain(
    source: Annotated[
        str, typer.Argument(metavar='INPUT', help='Video, folder of frames, or config with data.')
    ],
    frames: Annotated[
        str, typer.Option(metavar='A:B', help='Frames in the page; default: all.')
    ] = ':',
    out: Annotated[
        str | None, typer.Option(help='HTML file; default <input>_explained.html here.')
    ] = None,
    gt: Annotated[
        str | None, typer.Option(help='Ground truth of a video, MOTChallenge gt.txt.')
    ] = None,
    start: Annotated[
        int | None, typer.Option(help='First frame that is tracked; default: the first there is.')
    ] = None,
    video: Annotated[
        str | None, typer.Option(help="Of a config's test data; default: the first one.")
    ] = None,
    model: ModelName = 'lamotr_people',
    weights: Annotated[
        str | None,
        typer.Option('--weights', '--checkpoint', help="Default: the model's own."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help='Default cuda:0 if there is a GPU, else cpu.')
    ] = None,
    cfg_options: CfgOptions = None,
) -> int:
    """Write a page that says why each track has its id."""
    try:
        with one_line_errors():
            from lamotr_mm.engine.launch import parse_cfg_options

            from .explain_command import explain_source

            options = parse_cfg_options(cfg_options or [])
            print(
                explain_source(
                    source, frames, out, gt, start, video, model, weights, device, options
                )
            )
    except KeyboardInterrupt:
        print('\ninterrupted; nothing is written', file=sys.stderr)
        return 130
    return 0
