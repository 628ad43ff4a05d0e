// Steps, keys and the start.
const slider = $('slider');
let timer = null;

function play() {
  const button = $('play');
  if (timer) {
    clearInterval(timer);
    timer = null;
  } else {
    if (state.at === frames.length - 1) go(0);
    timer = setInterval(() => (state.at === frames.length - 1 ? play() : go(state.at + 1)), 1000 / Math.min(12, data.fps));
  }
  button.setAttribute('aria-pressed', Boolean(timer));
  button.setAttribute('aria-label', timer ? 'Stop' : 'Play');
  button.textContent = timer ? '■' : '▶▶';
}

// the next event of a kind (all: null) from here on, or the one before
function nextEvent(kind, direction) {
  const events = data.events.filter((event) => !kind || event.kind === kind);
  const now = events.indexOf(state.event);
  let place = now + direction;
  if (now < 0) {
    const later = events.findIndex((event) => event.frame > frame().number);
    place = direction > 0 ? later : (later < 0 ? events.length : later) - 1;
  }
  if (events[place]) follow(events[place]);
}

function nextId(direction) {
  const ids = frame().tracks.map((track) => track.id);
  const place = ids.indexOf(state.id);
  const next = ids[place < 0 ? (direction > 0 ? 0 : ids.length - 1) : place + direction];
  if (next !== undefined) select(next);
}

const KEYS = {
  ArrowLeft: (event) => go(state.at - (event.shiftKey ? 10 : 1)),
  ArrowRight: (event) => go(state.at + (event.shiftKey ? 10 : 1)),
  ArrowUp: () => nextId(-1),
  ArrowDown: () => nextId(1),
  Home: () => go(0),
  End: () => go(frames.length - 1),
  ' ': play,
  e: () => nextEvent(null, 1),
  E: () => nextEvent(null, -1),
  s: () => nextEvent('switch', 1),
  S: () => nextEvent('switch', -1),
};

document.addEventListener('keydown', (event) => {
  const own = event.target.closest('[type=range], select, dialog') || (event.key === ' ' && event.target.closest('button, input'));
  if (own || event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key](event);
});

slider.max = frames.length - 1;
slider.addEventListener('input', () => go(Number(slider.value)));
$('previous').addEventListener('click', () => go(state.at - 1));
$('next').addEventListener('click', () => go(state.at + 1));
$('play').addEventListener('click', play);
$('help').addEventListener('click', () => $('keys').showModal());
$('title').textContent = data.title;
window.addEventListener('resize', () => { fit(); drawLanes(); refresh(); });

parts.unshift(() => {
  slider.value = state.at;
  slider.setAttribute('aria-valuetext', `frame ${frame().number}`);
  $('position').textContent = `frame ${frame().number} (${state.at + 1} of ${frames.length})`;
});

function start() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const index = byNumber.get(Number(wanted.get('frame')));
  const id = Number(wanted.get('id'));
  if (wanted.has('id') && laneOf.has(id)) state.id = id;
  fit();
  drawLanes();
  drawKinds();
  drawEvents();
  go(index ?? 0);
}

start();
