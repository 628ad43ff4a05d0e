"""The page in headless Chromium: clicks, keys, what a screen reader is told, size."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from chromium import Browser, find_chromium
from explain_story import LAYERS, PRIOR, SWITCH, boxes_at, view_of

from lamotr_mm.tracking.lifecycle import FrameScores, Lifecycle
from lamotr_mm.tracking.reasons import FrameReasons
from lamotr_mm.tracking.session import TrackTable
from lamotr_mm.visualization.explain import ExplanationPage, FrameRecord
from lamotr_mm.visualization.explain.page import FRAME_BYTES, encode_image

WIDTH, HEIGHT = 320, 240
TITLE = 'a <b> & </script>'
# contrast of text with what is behind it (WCAG 2), outside of drawings
CONTRAST = """
(() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = numbers(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || node.closest('svg, script, dialog, .hidden') || !node.offsetParent) continue;
    const pair = [light(numbers(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) poor.push([node.textContent.trim(), ratio]);
  }
  return poor;
})()
"""


@pytest.fixture
def file(story, tmp_path) -> Path:
    """The story as a page, with its switch."""
    page = ExplanationPage(TITLE, (WIDTH, HEIGHT), 10, dict(gate=0.5))
    for record in story:
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        page.add(record, image, PRIOR, LAYERS)
    page.write(tmp_path / 'page.html', [SWITCH])
    return tmp_path / 'page.html'


@pytest.fixture
def browser(file, tmp_path):
    """A browser in which the page is open."""
    path = find_chromium()
    if path is None:
        pytest.skip('no Chromium: apt-get install chromium')
    with Browser(path, tmp_path / 'profile') as browser:
        browser.open(file)
        yield browser
        assert browser.errors() == []
        assert browser.requests() == [file.resolve().as_uri()], 'nothing from elsewhere'


def where(browser):
    """Frame and id that are shown."""
    return browser.run('[document.body.dataset.frame, document.body.dataset.id]')


def text(browser, selector):
    return browser.run(f'document.querySelector({json.dumps(selector)}).innerText')


def test_select_and_step(browser, story, tmp_path):
    assert text(browser, '#title') == TITLE
    assert where(browser) == ['1', '']
    browser.click('#overlay [data-id="2"]')
    assert where(browser) == ['1', '2']
    assert text(browser, '#who') == 'Id 2'
    browser.press('ArrowRight')
    assert where(browser) == ['2', '2']
    track = story[1].track(2)
    assert text(browser, '#why') == f'{track.why} It has target t12.'
    assert text(browser, '#position') == 'frame 2 (2 of 6)'
    browser.press('ArrowUp')
    assert where(browser) == ['2', '1']
    browser.press('End')
    assert where(browser) == ['6', '1']
    assert 'known from frame 1 to frame 5' in text(browser, '#why')
    browser.press('ArrowLeft')
    assert text(browser, '#state') == 'ended'
    browser.press('ArrowRight', shift=True)
    browser.press('ArrowLeft', shift=True)
    assert where(browser) == ['1', '1']
    browser.screenshot(tmp_path / 'page.png')
    seen = cv2.imread(str(tmp_path / 'page.png'))
    assert seen.shape == (768, 1366, 3)
    # id 1 is blue (Okabe and Ito's 86, 180, 233): its box in the frame and its bar in the time line
    assert (seen[:, :780] == (233, 180, 86)).all(-1).sum() > 1000


def test_why(browser, story):
    """Alternatives, and how S came to be, of the loss of id 1."""
    browser.click('#events [data-event="2"]')
    assert where(browser) == ['3', '1']
    assert text(browser, '#why').startswith(story[2].track(1).why)
    rows = browser.run(
        "[...document.querySelectorAll('#rivals tbody tr')].map((row) => "
        '[...row.cells].map((cell) => cell.innerText.trim()))'
    )
    # half of log(1 / 9) + 2 is -0.0986; of the terms, in hundredths, -0.05 - 0.05 and -0.02 - 0.07
    assert rows[0] == ['o0', '0.100', '0.40', '−0.10', '−0.09', '20 %', 'nobody']
    assert rows[1][0] == 'o1' and rows[1][-1] == '2'
    label = browser.run("document.getElementById('bars').getAttribute('aria-label')")
    assert label.startswith('Logit of S of o0 with id 1: start -2.00; layer 1: spatial −0.05, ')
    assert label.endswith('in all -2.19, S 0.100, gate 0.50')
    browser.click('#rivals tbody tr:nth-child(2) button')
    assert 'o1 with id 1' in text(browser, '#growth-title')
    moved = f'moved it by {np.hypot(6, 6):.1f} px'
    assert moved in text(browser, '#boxes')


def test_scores(browser, story):
    browser.press('ArrowRight')
    cells = browser.run(
        "[...document.querySelectorAll('#cells tbody td')].map((c) => [c.innerText, c.className])"
    )
    assert cells == [['95', 'over chosen'], ['2', ''], ['4', ''], ['90', 'over chosen']]
    browser.click('#cells tbody tr:nth-child(2) td:nth-of-type(1)')
    assert where(browser) == ['2', '1']
    assert 'o1 with id 1 came to be 0.040' in text(browser, '#growth-title')


def test_a_switch_leads_to_its_cause(browser):
    browser.press('s')
    assert where(browser) == ['3', '1']
    assert 'target 11: id 1 → id 3' in text(browser, '#switch')
    assert 'frame 3: id 1 is lost' in text(browser, '#switch')
    browser.click('#switch li:nth-child(2) button')
    assert where(browser) == ['4', '3']
    assert text(browser, '#state') == 'new'
    browser.press('Home')
    browser.click('#lanes .mark[data-event="4"]')  # the mark of the switch in the time line
    assert where(browser) == ['3', '1']


def test_boxes_before_and_after_and_attention(browser):
    browser.press('ArrowRight')
    browser.click('#overlay [data-id="1"]')
    before = browser.run(
        "(() => { const r = document.querySelector('#overlay .before'); "
        "return ['x', 'y'].map((name) => Number(r.getAttribute(name))); })()"
    )
    assert before == [26, 46]
    gaze = "document.querySelectorAll('#overlay .gaze').length"
    assert browser.run(gaze) == 4, 'two lines, each with its outline'
    browser.click('#show-attention')
    assert browser.run(gaze) == 0
    browser.click('#show-truth')
    assert browser.run("document.querySelectorAll('#overlay .truth').length") == 2


def test_for_keyboard_and_screen_reader(browser):
    browser.press('s')
    nodes = browser.send('Accessibility.getFullAXTree')['nodes']
    unnamed = []
    for node in nodes:
        properties = {
            item['name']: item['value'].get('value') for item in node.get('properties', ())
        }
        name = node.get('name', {}).get('value')
        if properties.get('focusable') and not name and not node.get('ignored'):
            unnamed.append(node['role']['value'])
    assert set(unnamed) <= {'generic'}, unnamed
    buttons = [n['name']['value'] for n in nodes if n.get('role', {}).get('value') == 'button']
    assert any('id 1, lost for 1 frame' in name for name in buttons), 'tracks are buttons'
    assert text(browser, '#spoken').startswith('Frame 3. Id 1: lost for 1 frame. No object')
    assert browser.run(CONTRAST) == []
    browser.run('document.querySelector(\'#overlay [data-id="2"]\').focus()')
    browser.press('Enter')
    assert where(browser) == ['3', '2']
    assert browser.run('document.activeElement.dataset.id') == '2', 'the focus stays'


def test_fits_a_small_screen(browser):
    sizes = browser.run(
        '[document.documentElement.scrollWidth, document.documentElement.scrollHeight]'
    )
    assert sizes[0] <= 1366 and sizes[1] <= 768


def crowd(count=60) -> FrameRecord:
    """As many objects as tracklets, each pair of some score."""
    random = np.random.default_rng(0)
    table = TrackTable.empty(count)
    for _ in range(count):
        table.start(0)
    before = TrackTable(
        table.ids.copy(),
        *(getattr(table, n).copy() for n in vars(table) if n not in ('ids', 'next_id')),
    )
    zeros = np.zeros(count, dtype=np.int64)
    boxes = boxes_at(random.uniform(0, 900, count)) + random.random((count, 4))
    scores = FrameScores(
        random.uniform(0.5, 1, count), zeros, boxes,
        random.uniform(0.5, 1, count), zeros, boxes, random.random((count, count)),
    )  # fmt: skip
    rules = Lifecycle()
    tracks = rules.step(table, scores)
    reasons = FrameReasons.of(rules, before, scores, tracks)
    return FrameRecord.of(1, scores, tracks, reasons, view_of(scores), tracks.ids.tolist())


def test_300_frames_are_within_20_mb(tmp_path):
    """By arithmetic, on hard frames: 60 x 60 pairs of random scores, pictures of random dots."""
    random = np.random.default_rng(0)
    sizes = []
    for count in (2, 5):
        page = ExplanationPage('x', (960, 540), 25, dict(gate=0.5))
        for number in range(1, count + 1):
            record = crowd()
            record.number = number
            dots = random.integers(0, 256, (34, 60, 3), dtype=np.uint8)
            image = cv2.resize(dots, (960, 540), interpolation=cv2.INTER_CUBIC)
            page.add(record, image, PRIOR, LAYERS)
        file = tmp_path / f'{count}.html'
        page.write(file)
        sizes.append(file.stat().st_size)
    per_frame = (sizes[1] - sizes[0]) / 3
    assert sizes[0] + 298 * per_frame <= 20e6


def test_pictures_get_what_is_left():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (270, 480, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    assert len(encode_image(image, FRAME_BYTES)) <= FRAME_BYTES
    assert len(encode_image(image, 20_000)) < len(encode_image(image, FRAME_BYTES))
