// Why the chosen track or object fared as it did: sentences, alternatives, how its score grew.
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const logit = (p) => Math.log(p / (1 - p));

// rows or columns by falling S, with what is known of each pair
function alternatives(now) {
  const column = columnOf(state.id);
  if (column >= 0) {
    return now.objects
      .map((object, row) => ({ object, row, column, score: scoreOf(row, column) }))
      .sort((a, b) => b.score - a.score);
  }
  const row = lonelyRow(now);
  if (row < 0) return [];
  return columnsOf(now)
    .map((track, at) => ({ track, row, column: at, score: scoreOf(row, at) }))
    .sort((a, b) => b.score - a.score);
}

// the object of a newborn, or an object without a track
function lonelyRow(now) {
  const track = trackOf(state.id);
  if (track) return track.object;
  return now.objects.findIndex((object) => object.query === state.query);
}

function drawWho(now, track, object) {
  const who = $('who');
  who.replaceChildren();
  if (state.id !== null) {
    who.append('Id ');
    chip(who, state.id);
  } else who.append(object ? `Object o${object.query}` : 'Nothing is selected');
  let text = track ? stateText(track) + named(track.label) : object ? `score ${fixed(object.score)}` : '';
  if (track && track.box && !track.out) text += ', not given out';
  if (state.id !== null && !track) text = 'not in this frame';
  $('state').textContent = text;
  $('state').hidden = !text;
  const target = now.truth.find((item) => item.id === state.id);
  $('why').textContent = track ? track.why : object ? object.why : state.id === null
    ? welcome() : absent();
  if (track && data.truth) {
    $('why').append(target ? ` It has target t${target.target}.` : track.box ? ' It has no target of the ground truth.' : '');
  }
}

function welcome() {
  const switches = data.events.filter((event) => event.kind === 'switch').length;
  return `${everyId.length} tracks in ${frames.length} frames. Click a track, an object, a cell of the scores or an event; ← and → step through the frames.` +
    (switches ? ` There are ${switches} identity switches: s leads to the cause of the next one.` : '');
}

// what is known of a track that is not in this frame
function life(id) {
  const present = frames.map((of, index) => [index, trackOf(id, of)]).filter((pair) => pair[1]);
  return present.length ? [present[0][0], present[present.length - 1][0]] : null;
}

function absent() {
  const [first, last] = life(state.id);
  const before = state.at < first;
  return `Id ${state.id} is known from frame ${frames[first].number} to frame ${frames[last].number}; this is ${before ? 'before' : 'after'} that.`;
}

function drawJumps(track) {
  const jumps = $('jumps');
  jumps.replaceChildren();
  if (state.id === null || track) return;
  const [first, last] = life(state.id);
  for (const [text, index] of [['first frame of it', first], ['last frame of it', last]]) {
    make(jumps, 'button', { type: 'button' }, text).addEventListener('click', () => go(index));
  }
}

function drawSwitch() {
  const panel = $('switch');
  const event = state.event;
  panel.replaceChildren();
  panel.hidden = !event || event.kind !== 'switch';
  if (panel.hidden) return;
  const close = make(panel, 'button', { type: 'button', class: 'close', 'aria-label': 'Close' }, '✕');
  close.addEventListener('click', () => { state.event = null; refresh(); });
  make(panel, 'strong', {}, 'Identity switch, ');
  panel.append(event.text);
  const list = make(panel, 'ol');
  for (const step of event.steps) {
    const here = step.frame === frame().number && step.id === state.id;
    const button = make(make(list, 'li'), 'button', { type: 'button', 'aria-current': here }, `frame ${step.frame}: ${step.text}`);
    button.addEventListener('click', () => goTo(step.frame, step.id));
  }
}

const FATES = { weak: 'nobody (weak)', unused: 'nobody' };

function drawRivals(found, track) {
  const table = $('rivals');
  table.replaceChildren();
  if (!found.length) return;
  const objects = Boolean(found[0].object);
  make(table, 'caption', { class: 'hidden' }, 'Alternatives by S');
  const head = make(make(table, 'thead'), 'tr');
  const titles = objects
    ? ['Object', 'S', 'Score', 'Spatial', 'Attention', 'Looks', 'Went to']
    : ['Tracklet', 'S', 'Score', 'Spatial', 'Attention', 'Looks', 'Took'];
  const notes = ['', 'association score', 'detection score of the query', 'sum of the spatial terms of the logit of S', 'sum of the attention terms', 'attention of the tracklet to the object, mean over layers and heads', ''];
  titles.forEach((title, i) => make(head, 'th', { scope: 'col', title: notes[i] }, title));
  const body = make(table, 'tbody');
  found.slice(0, 5).forEach((item) => drawRival(body, item, objects));
}

function drawRival(body, item, objects) {
  const { row, column, score } = item;
  const on = state.pair && state.pair[0] === row && state.pair[1] === column;
  const line = make(body, 'tr', { class: on ? 'on' : '' });
  const first = make(line, 'td');
  const button = make(first, 'button', { type: 'button', 'aria-pressed': on }, objects ? `o${item.object.query}` : '');
  if (!objects) chip(button, item.track.id);
  button.addEventListener('click', () => { state.pair = [row, column]; refresh(); });
  const cell = make(line, 'td');
  make(make(cell, 'span', { class: 'meter' }), 'i', { style: `width:${100 * score}%` });
  cell.append(fixed(score, 3));
  const other = objects ? item.object : item.track;
  make(line, 'td', {}, fixed(other.score));
  const terms = termsOf(row, column);
  for (const value of terms ? [signed(sum(terms.spatial)), signed(sum(terms.attention)), `${fixed(100 * mean(terms.looks), 0)} %`] : ['·', '·', '·']) make(line, 'td', {}, value);
  const last = make(line, 'td');
  if (!objects) last.append(item.track.object >= 0 ? `o${frame().objects[item.track.object].query}` : 'none');
  else if (item.object.id < 0) last.append(FATES[item.object.fate]);
  else {
    chip(last, item.object.id);
    last.append(item.object.fate === 'born' ? ' new' : item.object.id === state.id ? ' this' : '');
  }
}

// steps of the logit: [name, kind, from, to]
function stepsOf(terms) {
  let at = data.prior;
  const steps = [['start', 'prior', 0, at]];
  terms.spatial.forEach((value, layer) => {
    for (const [kind, part] of [['spatial', value], ['attention', terms.attention[layer]]]) {
      steps.push([`${layer + 1}`, kind, at, at + part]);
      at += part;
    }
  });
  return { steps, total: at };
}

const FILLS = { prior: '#7b8794', spatial: 'var(--spatial)', attention: 'url(#hatch)' };

function drawGrowth(found) {
  const svg = $('bars');
  const shown = state.pair && found.find((item) => item.row === state.pair[0] && item.column === state.pair[1]);
  const terms = shown && termsOf(shown.row, shown.column);
  svg.replaceChildren();
  $('growth').hidden = !shown;
  if (!shown) return;
  const name = (item) => `o${frame().objects[item.row].query} with id ${frame().tracks[item.column].id}`;
  $('growth-title').textContent = `How S of ${name(shown)} came to be ${fixed(shown.score, 3)}` + (terms ? '' : ': the page keeps the terms of the better pairs only');
  svg.style.display = terms ? '' : 'none';
  if (!terms) return;
  const rival = found.find((item) => item !== shown && termsOf(item.row, item.column));
  const other = rival && stepsOf(termsOf(rival.row, rival.column));
  const { steps, total } = stepsOf(terms);
  const gate = logit(data.rules.gate);
  const ends = [...steps, ...(other ? other.steps : [])].flatMap((step) => step.slice(2)).concat(gate);
  const own = [...steps.map((step) => step[3]), gate];
  // the runner-up may leave the picture
  const low = Math.max(Math.min(...ends), Math.min(...own) - 2) - 0.6;
  const high = Math.min(Math.max(...ends), Math.max(...own) + 2) + 1.1;
  const width = Math.max(320, svg.clientWidth);
  const [left, right, top, bottom] = [30, 78, 4, 34];
  const height = 168;
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const y = (value) => top + ((high - Math.max(low, Math.min(high, value))) / (high - low)) * (height - top - bottom);
  const slot = (width - left - right) / (steps.length + 1);
  const x = (index) => left + index * slot;
  drawAxes(svg, { low, high, y, left, right: width - right, height, bottom });
  draw(svg, 'line', { x1: left, x2: width - right, y1: y(gate), y2: y(gate), stroke: '#16202b', 'stroke-dasharray': '6 4' });
  const labels = [[y(gate), `gate ${fixed(data.rules.gate)}`, ''], [y(total), `S ${fixed(shown.score, 3)}`, 'font-weight:700']];
  if (other) {
    const points = other.steps.map((step, i) => `${x(i)},${y(step[3])} ${x(i + 1)},${y(step[3])}`).join(' ');
    draw(svg, 'polyline', { points: `${points} ${x(steps.length + 1)},${y(other.total)}`, fill: 'none', stroke: '#7b8794', 'stroke-width': 2, 'stroke-dasharray': '2 2' });
    const whose = rival.object ? `o${rival.object.query}` : `id ${rival.track.id}`;
    labels.push([y(other.total), `${whose}: ${fixed(rival.score)}`, 'fill:#4d5b6a']);
  }
  steps.forEach(([text, kind, from, to], i) => {
    if (kind === 'prior') {
      draw(svg, 'line', { x1: x(i), x2: x(i + 1), y1: y(to), y2: y(to), stroke: '#16202b', 'stroke-width': 2 });
    } else {
      draw(svg, 'rect', { x: x(i) + 2, width: slot - 4, y: y(Math.max(from, to)), height: Math.max(1.5, Math.abs(y(from) - y(to))), style: `fill:${FILLS[kind]}`, stroke: '#16202b', 'stroke-width': 0.7 });
      draw(svg, 'line', { x1: x(i + 1) - 2, x2: x(i + 1) + 2, y1: y(to), y2: y(to), stroke: '#16202b' });
    }
    draw(svg, 'text', { x: x(i) + slot / 2, y: y(kind === 'prior' ? to : Math.max(from, to)) - 3, 'text-anchor': 'middle' }, kind === 'prior' ? fixed(to, 1) : signed(to - from));
    if (kind !== 'attention') draw(svg, 'text', { x: x(i) + (kind === 'prior' ? slot / 2 : slot), y: height - 20, 'text-anchor': 'middle' }, kind === 'prior' ? text : `layer ${text}`);
  });
  draw(svg, 'line', { x1: x(steps.length), x2: x(steps.length + 1), y1: y(total), y2: y(total), stroke: '#d55e00', 'stroke-width': 3 });
  drawLabels(svg, labels, width - right + 4, height - bottom);
  drawLegend(svg, left, height - 12);
  svg.setAttribute('aria-label', `Logit of S of ${name(shown)}: start ${fixed(data.prior)}; ` +
    terms.spatial.map((value, i) => `layer ${i + 1}: spatial ${signed(value)}, attention ${signed(terms.attention[i])}`).join('; ') +
    `; in all ${fixed(total)}, S ${fixed(shown.score, 3)}, gate ${fixed(data.rules.gate)}`);
}

function drawAxes(svg, { low, high, y, left, right, height, bottom }) {
  const pattern = draw(draw(svg, 'defs', {}), 'pattern', { id: 'hatch', width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' });
  draw(pattern, 'rect', { width: 5, height: 5, style: 'fill:var(--attention)' });
  draw(pattern, 'line', { x1: 0, y1: 0, x2: 0, y2: 5, stroke: '#7a4f00', 'stroke-width': 1.6 });
  const span = high - low;
  const step = [0.5, 1, 2, 5, 10, 20, 50, 100].find((value) => span / value <= 7) || 200;
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
    draw(svg, 'line', { x1: left, x2: right, y1: y(value), y2: y(value), stroke: '#e6eaee' });
    draw(svg, 'text', { x: left - 4, y: y(value) + 4, 'text-anchor': 'end', style: 'fill:#4d5b6a' }, value);
  }
}

// texts at the right end, pushed apart where they would overlap
function drawLabels(svg, labels, x, last) {
  labels.sort((a, b) => a[0] - b[0]);
  for (let i = 1; i < labels.length; i++) labels[i][0] = Math.max(labels[i][0], labels[i - 1][0] + 12);
  const over = Math.max(0, labels[labels.length - 1][0] - last);
  for (const [at, text, style] of labels) draw(svg, 'text', { x, y: at - over + 4, style }, text);
}

function drawLegend(svg, x, y) {
  const items = [['spatial cue', 'spatial', 92], ['attention', 'attention', 84], ['runner-up', null, 80]];
  for (const [text, kind, width] of items) {
    if (kind) draw(svg, 'rect', { x, y, width: 12, height: 10, style: `fill:${FILLS[kind]}`, stroke: '#16202b', 'stroke-width': 0.7 });
    else draw(svg, 'line', { x1: x, x2: x + 14, y1: y + 5, y2: y + 5, stroke: '#7b8794', 'stroke-width': 2, 'stroke-dasharray': '2 2' });
    draw(svg, 'text', { x: x + 17, y: y + 9 }, text);
    x += width;
  }
  draw(svg, 'text', { x, y: y + 9, style: 'fill:#4d5b6a' }, 'logit of S, by layer of SGLA');
}

function iou(a, b) {
  const side = (at) => Math.max(0, Math.min(a[at + 2], b[at + 2]) - Math.max(a[at], b[at]));
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  const both = side(0) * side(1);
  return both / Math.max(1e-9, area(a) + area(b) - both);
}

function drawBoxes(track) {
  const line = $('boxes');
  line.textContent = '';
  if (!track || !track.after) return;
  const [before, after] = [centre(track.before), centre(track.after)];
  const moved = Math.hypot(after[0] - before[0], after[1] - before[1]);
  line.textContent = `Box of the tracklet: SGLA moved it by ${fixed(moved, 1)} px (IoU of before and after ${fixed(iou(track.before, track.after))})`;
  const object = frame().objects[track.object];
  if (object) line.append(`; IoU with its object: ${fixed(iou(track.before, object.box))} before, ${fixed(iou(track.after, object.box))} after`);
  const target = frame().truth.find((item) => item.id === track.id);
  if (target) line.append(`; with its target: ${fixed(iou(track.before, target.box))}, ${fixed(iou(track.after, target.box))}`);
  line.append(`. Own score ${fixed(track.score)}.`);
}

function drawIds() {
  const select = $('ids');
  if (!select.options.length) {
    make(select, 'option', { value: '' }, 'none');
    for (const id of everyId) make(select, 'option', { value: id }, id);
  }
  select.value = state.id ?? '';
}

function drawReason() {
  const now = frame();
  const track = trackOf(state.id);
  const object = state.id === null ? now.objects.find((item) => item.query === state.query) : null;
  const found = alternatives(now);
  if (!state.pair && found.length) {
    const taken = track && track.object >= 0 && found.find((item) => item.row === track.object && columnOf(state.id) >= 0);
    const { row, column } = taken || found[0];
    state.pair = [row, column];
  }
  drawWho(now, track, object);
  drawSwitch();
  drawJumps(track);
  drawRivals(found, track);
  drawGrowth(found);
  drawBoxes(track);
  drawIds();
  const subject = state.id === null ? '' : `Id ${state.id}: ${$('state').textContent}. ${$('why').textContent}`;
  $('spoken').textContent = `Frame ${now.number}. ${subject}`;
}

$('ids').addEventListener('change', () => select($('ids').value === '' ? null : Number($('ids').value)));
parts.push(drawReason);
