// Births, losses, recoveries, ends and switches of all tracks over time.
const LANE = 15;
const KINDS = {
  switch: ['switches', '✖', '#b34700'],
  born: ['births', '▲', '#00714d'],
  lost: ['losses', '▼', '#16202b'],
  found: ['recoveries', '◆', '#0072b2'],
  ended: ['ends', '■', '#4d5b6a'],
};
const lanes = $('lanes-svg');
const laneOf = new Map(everyId.map((id, lane) => [id, lane]));
const HEAD = 20;
let scaleX = (index) => index;

// stretches of frames in which a track's state is the same: [id, state, first, last]
function stretches() {
  const open = new Map();
  const done = [];
  frames.forEach((of, index) => {
    for (const track of of.tracks) {
      const kind = track.state === 'born' ? 'matched' : track.state === 'ended' ? 'lost' : track.state;
      const last = open.get(track.id);
      if (last && last[1] === kind && last[3] === index - 1) last[3] = index;
      else {
        const fresh = [track.id, kind, index, index];
        open.set(track.id, fresh);
        done.push(fresh);
      }
    }
  });
  return done;
}

function drawLanes() {
  const width = Math.max(300, $('lanes').clientWidth);
  const height = HEAD + LANE * everyId.length + 4;
  const left = 34;
  const step = (width - left - 14) / frames.length;
  scaleX = (index) => left + index * step;
  lanes.replaceChildren();
  lanes.setAttribute('viewBox', `0 0 ${width} ${height}`);
  lanes.style.height = `${height}px`;
  lanes.setAttribute('aria-label', `Time line of ${everyId.length} tracks over ${frames.length} frames; the list of events beside it has the same in words`);
  const every = Math.ceil(60 / step);
  frames.forEach((of, index) => {
    if (index % every === 0) draw(lanes, 'text', { x: scaleX(index) + step / 2, y: 11, 'text-anchor': 'middle' }, of.number);
  });
  draw(lanes, 'rect', { id: 'lane-on', x: 0, y: 0, width, height: LANE, fill: '#dcebfa', visibility: 'hidden' });
  for (const id of everyId) draw(lanes, 'text', { x: left - 6, y: HEAD + laneOf.get(id) * LANE + 11, 'text-anchor': 'end' }, id);
  for (const [id, kind, first, last] of stretches()) {
    const y = HEAD + laneOf.get(id) * LANE;
    const [x, long] = [scaleX(first), (last - first + 1) * step];
    const thick = { matched: 9, kept: 5, lost: 1.5 }[kind];
    draw(lanes, 'rect', { x, y: y + (LANE - thick) / 2, width: long, height: thick, fill: kind === 'lost' ? '#4d5b6a' : colourOf(id), stroke: kind === 'lost' ? 'none' : '#16202b', 'stroke-width': 0.5 });
  }
  data.events.forEach((event, place) => drawMark(event, place, step));
  draw(lanes, 'line', { id: 'cursor', y1: 13, y2: height, stroke: '#16202b', 'stroke-width': 1.5 });
}

function drawMark(event, place, step) {
  const [, sign, colour] = KINDS[event.kind];
  const x = scaleX(byNumber.get(event.frame)) + step / 2;
  const y = HEAD + laneOf.get(event.id) * LANE + LANE / 2;
  const big = event.kind === 'switch';
  const mark = draw(lanes, 'text', {
    class: 'mark', x, y: y + (big ? 6 : 4), 'text-anchor': 'middle', 'data-event': place,
    style: `fill:${colour};font-size:${big ? 16 : 11}px;paint-order:stroke;stroke-width:${big ? 3 : 2}`,
  }, sign);
  draw(mark, 'title', {}, `frame ${event.frame}: ${event.text}`);
  mark.addEventListener('click', (click) => { click.stopPropagation(); follow(event); });
}

lanes.addEventListener('click', (click) => {
  const around = lanes.getBoundingClientRect();
  const index = Math.floor((click.clientX - around.left - scaleX(0)) / (scaleX(1) - scaleX(0)));
  const lane = Math.floor((click.clientY - around.top - HEAD) / LANE);
  if (everyId[lane] !== undefined) Object.assign(state, { id: everyId[lane], query: null });
  go(index);
});

function moveCursor() {
  const step = scaleX(1) - scaleX(0);
  const x = scaleX(state.at) + step / 2;
  $('cursor').setAttribute('x1', x);
  $('cursor').setAttribute('x2', x);
  const lane = $('lane-on');
  lane.setAttribute('visibility', state.id === null ? 'hidden' : 'visible');
  if (state.id === null) return;
  const y = HEAD + laneOf.get(state.id) * LANE;
  lane.setAttribute('y', y);
  const box = $('lanes');
  if (y < box.scrollTop + HEAD || y + LANE > box.scrollTop + box.clientHeight) box.scrollTop = y - box.clientHeight / 2;
}

function drawKinds() {
  const count = (kind) => data.events.filter((event) => event.kind === kind).length;
  const kinds = $('kinds');
  make(kinds, 'option', { value: '' }, `all (${data.events.length})`);
  for (const [kind, [name, sign]] of Object.entries(KINDS)) {
    if (kind !== 'switch' || data.truth) make(kinds, 'option', { value: kind }, `${sign} ${name} (${count(kind)})`);
  }
  kinds.addEventListener('change', drawEvents);
}

function drawEvents() {
  const list = $('events');
  const kind = $('kinds').value;
  list.replaceChildren();
  for (const event of data.events) {
    if (kind && event.kind !== kind) continue;
    const button = make(make(list, 'li'), 'button', { type: 'button', 'data-event': data.events.indexOf(event) });
    const [, sign, colour] = KINDS[event.kind];
    make(button, 'span', { class: 'n' }, event.frame);
    make(button, 'span', { style: `color:${colour}`, 'aria-hidden': true }, sign);
    make(button, 'span', { class: event.kind === 'switch' ? 's' : '' }, event.text);
    button.addEventListener('click', () => follow(event));
  }
  markEvents();
}

function markEvents() {
  for (const button of $('events').querySelectorAll('button')) {
    const event = data.events[button.dataset.event];
    const here = event === state.event || (event.frame === frame().number && event.id === state.id);
    button.setAttribute('aria-current', here);
    if (here && !$('events').contains(document.activeElement)) {
      const list = $('events');
      const place = button.offsetTop - list.offsetTop;
      if (place < list.scrollTop || place + 20 > list.scrollTop + list.clientHeight) list.scrollTop = place - list.clientHeight / 2;
    }
  }
}

parts.push(moveCursor, markEvents);
