// S as a heat map: objects down, tracklets across.
const LIGHT = [247, 251, 255];
const DARK = [8, 48, 107];

function shade(score) {
  return '#' + LIGHT.map((value, i) => Math.round(value + (DARK[i] - value) * score).toString(16).padStart(2, '0')).join('');
}

// rows in the order of the columns that they were matched with: chosen pairs lie on a diagonal
function rowOrder(now) {
  const place = new Map(now.tracks.filter((track) => track.object >= 0).map((track, i) => [track.object, i]));
  return now.objects.map((_, row) => row).sort((a, b) => (place.get(a) ?? 1e6 + a) - (place.get(b) ?? 1e6 + b));
}

function drawHead(table, columns) {
  const line = make(make(table, 'thead'), 'tr');
  make(line, 'td', { 'aria-hidden': true });
  for (const track of columns) {
    const cell = make(line, 'th', { scope: 'col', class: track.id === state.id ? 'on' : '' });
    const button = make(cell, 'button', { type: 'button', title: `id ${track.id}, ${stateText(track)}`, class: track.box ? '' : 'lost' });
    chip(button, track.id);
    button.addEventListener('click', () => select(track.id));
  }
}

function drawRow(body, now, row, columns, numbers) {
  const object = now.objects[row];
  const line = make(body, 'tr');
  const on = object.query === state.query || (state.pair && state.pair[0] === row);
  const head = make(line, 'th', { scope: 'row', class: on ? 'on' : '' });
  const text = `o${object.query}` + ({ born: ' ✚', weak: ' ○' }[object.fate] || '');
  const button = make(head, 'button', { type: 'button', title: `object o${object.query}, score ${fixed(object.score)}. ${object.id < 0 ? object.why : `Its track is id ${object.id}.`}` }, text);
  button.addEventListener('click', () => selectObject(row));
  columns.forEach((track, column) => {
    const score = scoreOf(row, column);
    const chosen = track.object === row;
    const on = state.pair && state.pair[0] === row && state.pair[1] === column;
    const cell = make(line, 'td', {
      class: [score >= data.rules.gate && 'over', chosen && 'chosen', on && 'on'].filter(Boolean).join(' '),
      style: `background:${shade(score)};color:${inkOn(shade(score))}`,
      title: `o${object.query}, id ${track.id}: S ${fixed(score, 3)}${chosen ? ', chosen' : ''}`,
    });
    if (numbers && score >= 0.005) cell.textContent = Math.round(100 * score);
    else make(cell, 'span', { class: 'hidden' }, fixed(score));
    cell.addEventListener('click', () => selectPair(row, column));
  });
}

function drawMatrix() {
  const now = frame();
  const columns = columnsOf(now);
  const table = $('cells');
  const box = table.parentElement;
  const [left, top] = [box.scrollLeft, box.scrollTop];
  table.replaceChildren();
  $('matrix-title').textContent = 'Scores S in %';
  $('matrix-title').title = `${now.objects.length} objects, ${columns.length} tracklets`;
  const room = (box.clientWidth - 60) / Math.max(1, columns.length) - 1;
  const size = Math.max(14, Math.min(46, Math.floor(room)));
  const high = (box.clientHeight - 30) / Math.max(1, now.objects.length) - 1;
  table.style.setProperty('--cell', `${Math.max(16, Math.min(30, Math.floor(high)))}px`);
  table.style.setProperty('--wide', `${size}px`);
  make(table, 'caption', { class: columns.length ? 'hidden' : '' }, columns.length ? 'Association scores of objects (rows) and tracklets (columns)' : 'There is no tracklet yet: every object is new.');
  drawHead(table, columns);
  const body = make(table, 'tbody');
  for (const row of rowOrder(now)) drawRow(body, now, row, columns, size >= 20);
  box.scrollTo(left, top);
}

function drawScale() {
  const svg = $('scale');
  for (let i = 0; i < 50; i++) draw(svg, 'rect', { x: 10 + i * 2.6, y: 2, width: 2.7, height: 10, fill: shade((i + 0.5) / 50) });
  const gate = 10 + 130 * data.rules.gate;
  draw(svg, 'line', { x1: gate, x2: gate, y1: 0, y2: 14, stroke: '#16202b', 'stroke-width': 2 });
  draw(svg, 'text', { x: 0, y: 11 }, '0');
  draw(svg, 'text', { x: 144, y: 11 }, '1');
  draw(svg, 'text', { x: Math.max(gate, 22), y: 24, 'text-anchor': 'middle' }, `gate ${data.rules.gate}`);
  draw(svg, 'rect', { x: 168, y: 3, width: 12, height: 12, fill: '#fff', stroke: '#16202b' });
  draw(svg, 'text', { x: 184, y: 13 }, 'above the gate');
  draw(svg, 'rect', { x: 276, y: 4, width: 11, height: 11, fill: '#fff', stroke: '#d55e00', 'stroke-width': 3 });
  draw(svg, 'text', { x: 293, y: 13 }, 'chosen');
}

drawScale();
parts.push(drawMatrix);
