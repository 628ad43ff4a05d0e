"""The tiny tracker as an exported folder."""

from pathlib import Path
from typing import NamedTuple

import cv2
import pytest

from lamotr_mm.datasets.synthetic.render import get_scene
from lamotr_mm.datasets.synthetic.scene import SceneSpec
from lamotr_mm.models import LAMOTR

SIZE = (96, 144)  # (height, width) px


class Exported(NamedTuple):
    """A model, its folder, and the config and checkpoint that it is of."""

    model: LAMOTR
    folder: Path
    config: str
    checkpoint: str


@pytest.fixture(scope='session')
def exported(tiny_tracker, tmp_path_factory) -> Exported:
    """The export takes most of the time of these tests."""
    pytest.importorskip('onnxscript', reason='optional: pip install "lamotr_mm[export]"')
    from lamotr_mm.apis.inferencer import init_model
    from lamotr_mm.deploy.export import export

    model = init_model(*tiny_tracker)
    folder = tmp_path_factory.mktemp('deploy') / 'tiny'
    export(model, folder, SIZE, ('bee', 'wasp'))
    return Exported(model, folder, *tiny_tracker)


@pytest.fixture(scope='session')
def walk(tmp_path_factory) -> Path:
    """A folder of the frames of a short synthetic video."""
    folder = tmp_path_factory.mktemp('walk')
    scene = get_scene(SceneSpec(20_001, 1, 12, *SIZE))
    for index in range(12):
        cv2.imwrite(str(folder / f'{index + 1}.png'), scene.render(index).image)
    return folder
