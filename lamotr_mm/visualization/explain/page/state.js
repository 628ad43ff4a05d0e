// What is shown: a frame, a track or an object, a pair of them. Every part of the page draws itself
// anew from it.
const data = JSON.parse(document.getElementById('data').textContent);
const frames = data.frames;
const state = { at: 0, id: null, query: null, pair: null, event: null };
const byNumber = new Map(frames.map((frame, index) => [frame.number, index]));
const everyId = [...new Set(frames.flatMap((of) => of.tracks.map((track) => track.id)))].sort((a, b) => a - b);
const parts = []; // functions that draw a part
const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

function colourOf(id) {
  return data.palette[id % data.palette.length];
}

// black or white, whichever contrasts more (relative luminance of WCAG 2)
function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000' : '#fff';
}

function make(parent, name, attributes = {}, text = null, space = null) {
  const node = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  parent.append(node);
  return node;
}

const draw = (parent, name, attributes, text = null) => make(parent, name, attributes, text, SVG);

function chip(parent, id) {
  const colour = colourOf(id);
  return make(parent, 'span', { class: 'chip', style: `background:${colour};color:${inkOn(colour)}` }, id);
}

const frame = () => frames[state.at];
const trackOf = (id, of = frame()) => of.tracks.find((track) => track.id === id);
const columnOf = (id, of = frame()) => {
  const place = of.tracks.findIndex((track) => track.id === id);
  return place >= 0 && of.tracks[place].state !== 'born' ? place : -1;
};
const columnsOf = (of) => of.tracks.filter((track) => track.state !== 'born');
const fixed = (value, decimals = 2) => value.toFixed(decimals);
const signed = (value) => (value < 0 ? '−' : '+') + fixed(Math.abs(value));
const named = (label) => (data.classes.length > 1 ? `, ${data.classes[label] || label}` : '');

const STATES = {
  matched: 'matched with an object',
  kept: 'lives on by its own score',
  lost: 'lost',
  ended: 'ended',
  born: 'new',
};

function stateText(track) {
  if (track.state === 'lost') return `lost for ${track.missed + 1} frame${track.missed ? 's' : ''}`;
  return (track.missed && track.state !== 'ended' ? 'found again, ' : '') + STATES[track.state];
}

// terms of the logit of S of a pair: null where the page does not hold them
function termsOf(row, column, of = frame()) {
  const found = of.pairs.find((pair) => pair[0] === row && pair[1] === column);
  if (!found) return null;
  const part = (index, unit) => found.slice(2 + index * data.layers, 2 + (index + 1) * data.layers).map((v) => v / unit);
  return { spatial: part(0, 100), attention: part(1, 100), looks: part(2, 1000) };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;
const scoreOf = (row, column, of = frame()) => of.scores[row][column] / 1000;

function refresh() {
  for (const part of parts) part();
  const hash = `#frame=${frame().number}` + (state.id === null ? '' : `&id=${state.id}`);
  history.replaceState(null, '', hash);
  document.body.dataset.frame = frame().number;
  document.body.dataset.id = state.id ?? '';
}

function go(index) {
  state.at = Math.max(0, Math.min(frames.length - 1, index));
  state.pair = null;
  refresh();
}

function select(id) {
  if (state.event && !state.event.steps.some((step) => step.id === id)) state.event = null;
  Object.assign(state, { id, query: null, pair: null });
  refresh();
}

function selectObject(row) {
  const object = frame().objects[row];
  if (object.id >= 0) return select(object.id);
  Object.assign(state, { id: null, query: object.query, pair: null });
  refresh();
}

function selectPair(row, column) {
  state.id = frame().tracks[column].id;
  state.query = null;
  state.pair = [row, column];
  refresh();
}

function goTo(number, id) {
  Object.assign(state, { id, query: null });
  go(byNumber.get(number));
}

// an event leads to its cause
function follow(event) {
  state.event = event;
  goTo(event.steps[0].frame, event.steps[0].id);
}
