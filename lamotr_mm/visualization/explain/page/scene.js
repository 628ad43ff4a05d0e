// The frame with its objects and tracks.
const overlay = $('overlay');
const picture = $('picture');
const tip = $('tip');

function fit() {
  const wide = matchMedia('(min-width: 1051px)').matches;
  const room = $('scene').clientWidth;
  const high = wide ? Math.max(240, window.innerHeight - 250) : 4000;
  const width = Math.min(room, (high * data.width) / data.height);
  picture.style.width = `${width}px`;
  picture.style.height = `${(width * data.height) / data.width}px`;
}

const unit = () => data.width / Math.max(1, picture.clientWidth); // px of the video per px of the screen

function rectangle(parent, box, attributes) {
  const [x1, y1, x2, y2] = box;
  return draw(parent, 'rect', { x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1), ...attributes });
}

// corners of a box, a little outside of it
function corners(box) {
  const gap = 3.5 * unit();
  const [x1, y1, x2, y2] = [box[0] - gap, box[1] - gap, box[2] + gap, box[3] + gap];
  const arm = Math.min(9 * unit(), (x2 - x1) / 3, (y2 - y1) / 3);
  return [[x1, y1, 1, 1], [x2, y1, -1, 1], [x2, y2, -1, -1], [x1, y2, 1, -1]]
    .map(([x, y, right, down]) => `M${x + right * arm} ${y}H${x}V${y + down * arm}`).join('');
}

function label(parent, box, text, colour) {
  const size = 12 * unit();
  const width = (text.length * 0.62 + 0.6) * size;
  const x = Math.max(0, Math.min(box[0], data.width - width));
  const y = box[1] - 1.3 * size < 0 ? box[1] : box[1] - 1.3 * size;
  draw(parent, 'rect', { x, y, width, height: 1.3 * size, style: `fill:${colour}` });
  draw(parent, 'text', { x: x + 0.3 * size, y: y + size, 'font-size': size, fill: inkOn(colour) }, text);
}

function hint(node, text) {
  node.addEventListener('pointermove', (event) => {
    const around = $('scene').getBoundingClientRect();
    tip.textContent = text;
    tip.hidden = false;
    const left = Math.min(event.clientX - around.left + 14, around.width - tip.offsetWidth - 4);
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.min(event.clientY - around.top + 14, around.height - tip.offsetHeight - 4)}px`;
  });
  node.addEventListener('pointerleave', () => (tip.hidden = true));
}

function pressable(node, action) {
  node.addEventListener('click', action);
  node.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });
}

const centre = (box) => [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];

// lines from the chosen tracklet to what it attended to, as wide as the attention is large
function drawGaze(now, track) {
  const column = columnOf(track.id);
  const [x1, y1] = centre(track.after);
  now.objects.forEach((object, row) => {
    const terms = termsOf(row, column);
    const looks = terms ? mean(terms.looks) : 0;
    if (looks < 0.02) return;
    const [x2, y2] = centre(object.box);
    const width = 1 + 9 * looks;
    draw(overlay, 'line', { class: 'gaze', x1, y1, x2, y2, style: `stroke:#000;stroke-width:${width + 2}`, opacity: 0.6 });
    draw(overlay, 'line', { class: 'gaze', x1, y1, x2, y2, style: `stroke-width:${width}` });
    draw(overlay, 'circle', { cx: x2, cy: y2, r: (2.5 + width / 2) * unit(), fill: '#fff', stroke: '#000', 'stroke-width': unit() });
  });
}

function drawObject(object, row, chosen) {
  const partner = chosen && chosen.object === row;
  const alone = state.query === object.query;
  const group = draw(overlay, 'g', { class: `object ${object.fate} ${object.id < 0 ? 'free' : ''} ${partner || alone ? 'partner' : ''}`, 'data-query': object.query });
  rectangle(group, object.box, {});
  draw(group, 'path', { class: 'under', d: corners(object.box) });
  draw(group, 'path', { d: corners(object.box) });
  hint(group, `object o${object.query}, score ${fixed(object.score)}${named(object.label)}: ` +
    (object.id >= 0 ? `${object.fate === 'born' ? 'starts' : 'is'} id ${object.id}` : object.why));
  group.addEventListener('click', () => selectObject(row));
  if (alone) label(group, object.box, `o${object.query}`, '#ffffff');
}

const DASHES = { matched: 'none', born: 'none', kept: '12 4', lost: '4 5', ended: '2 6' };

function drawTrack(track, focused) {
  const box = track.box || track.after;
  const colour = colourOf(track.id);
  const chosen = track.id === state.id;
  const what = `id ${track.id}, ${stateText(track)}${named(track.label)}`;
  const group = draw(overlay, 'g', {
    role: 'button', tabindex: 0, 'data-id': track.id, class: chosen ? 'chosen' : '',
    'aria-label': what, 'aria-pressed': chosen,
  });
  rectangle(group, box, { class: 'halo', style: 'stroke-width:4.5', stroke: '#000', opacity: 0.75 });
  rectangle(group, box, { style: `stroke:${colour};stroke-width:${chosen ? 4 : 2.5};stroke-dasharray:${DASHES[track.state]}` });
  const row = track.object;
  const column = columnOf(track.id);
  const score = row >= 0 && column >= 0 ? `, o${frame().objects[row].query}, S ${fixed(scoreOf(row, column))}` : '';
  hint(group, what + score);
  pressable(group, () => select(track.id));
  if (track.id === focused) group.focus();
}

function drawScene() {
  const now = frame();
  const chosen = trackOf(state.id);
  const active = document.activeElement;
  const focused = active && active.dataset && overlay.contains(active) ? Number(active.dataset.id) : null;
  $('image').src = `data:image/jpeg;base64,${now.image}`;
  $('image').alt = `Frame ${now.number}`;
  overlay.replaceChildren();
  tip.hidden = true;
  overlay.setAttribute('viewBox', `0 0 ${data.width} ${data.height}`);
  if ($('show-truth').checked) {
    for (const target of now.truth) {
      const group = draw(overlay, 'g', { class: 'truth' });
      rectangle(group, target.box, {});
      const size = 11 * unit();
      draw(group, 'text', { x: target.box[0] + 2 * unit(), y: target.box[3] - 3 * unit(), 'font-size': size, fill: '#fff', stroke: '#000', 'stroke-width': 3 * unit(), 'paint-order': 'stroke' }, `t${target.target}`);
    }
  }
  // far to near, the chosen one last
  const order = [...now.tracks].sort((a, b) =>
    (a.id === state.id) - (b.id === state.id) || Boolean(a.box) - Boolean(b.box) || (a.box || a.after || [0, 0, 0, 0])[3] - (b.box || b.after || [0, 0, 0, 0])[3]);
  const seen = order.filter((track) => track.box || track.id === state.id);
  for (const track of seen) drawTrack(track, focused);
  if ($('show-objects').checked) now.objects.forEach((object, row) => drawObject(object, row, chosen));
  if (chosen && chosen.after && $('show-boxes').checked) rectangle(overlay, chosen.before, { class: 'before' });
  if (chosen && chosen.after && $('show-attention').checked) drawGaze(now, chosen);
  for (const track of seen) label(overlay, track.box || track.after, `${track.id}`, colourOf(track.id));
}

for (const name of ['objects', 'boxes', 'attention', 'truth']) $(`show-${name}`).addEventListener('change', drawScene);
$('truth-label').hidden = !data.truth;
parts.push(drawScene);
