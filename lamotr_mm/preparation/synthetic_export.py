"""A synthetic video as a MOTChallenge sequence on disk."""

from pathlib import Path

from lamotr_mm.datasets.synthetic.render import Frame, get_scene
from lamotr_mm.datasets.synthetic.scene import SceneSpec
from lamotr_mm.io.files import replace_on_success
from lamotr_mm.io.mot_folder import seqinfo_text
from lamotr_mm.io.video_writer import VideoWriter
from lamotr_mm.visualization.contact_sheet import EvenSample, contact_sheet, write_png
from lamotr_mm.visualization.draw_tracks import TrackPainter


def write_sequence(spec: SceneSpec, folder: str | Path, fps: float = 10.0) -> Path:
    """Render a video with its ground truth.

    Writes ``<name>.mp4`` (H.264, as it was drawn), ``gt/gt.txt`` (rows
    ``frame,id,x,y,w,h,1,1,visibility``, frames and ids from 1, px), ``seqinfo.ini`` and
    ``sheet.png`` (12 frames with the boxes of the ground truth). Each file appears whole or not at
    all. ``mot2cocovid.py`` converts such a folder, ``track.py`` tracks its video.

    Args:
        spec: the video.
        folder: of all sequences; the sequence's own, named as the video, is made in it.
        fps: frames per second of the mp4.

    Returns:
        The sequence's folder.

    Raises:
        FileExistsError: the folder has frames that were extracted from an older video.
        ValueError: ``fps`` is not positive.
    """
    scene, painter = get_scene(spec), TrackPainter()
    folder = Path(folder) / spec.name
    if (folder / 'img1').exists():
        raise FileExistsError(f'{folder / "img1"} has frames of an older video: remove it')
    pictures, rows = EvenSample(width=spec.width), []
    with VideoWriter(folder / f'{spec.name}.mp4', fps) as video:
        for number in range(1, spec.length + 1):
            frame = scene.render(number - 1)
            video.write(frame.image)
            pictures.add(number, painter(frame.image, frame.boxes_xyxy, frame.instance_ids))
            rows += _gt_rows(number, frame)
    texts = {
        folder / 'gt' / 'gt.txt': ''.join(rows),
        folder / 'seqinfo.ini': seqinfo_text(spec.name, fps, spec.length, spec.width, spec.height),
    }
    for path, text in texts.items():
        with replace_on_success(path) as temporary:
            temporary.write_text(text)
    write_png(folder / 'sheet.png', contact_sheet(pictures.frames()))
    return folder


def _gt_rows(number: int, frame: Frame) -> list[str]:
    return [
        f'{number},{instance_id},{x1:g},{y1:g},{x2 - x1:g},{y2 - y1:g},1,1,{visibility:.3f}\n'
        for (x1, y1, x2, y2), instance_id, visibility in zip(
            frame.boxes_xyxy, frame.instance_ids, frame.visibility
        )
    ]
