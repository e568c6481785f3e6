// Line charts. The lines are SVG stretched to the box; words are HTML, so they stay crisp.

import { h } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { pref, setPref } from '../lib/prefs.js';

const WIDTH = 1000;
const HEIGHT = 200;
const OWN_SAMPLES_MAX = 720;

export const RANGES = [
  { age: 60, step: 5, label: 'Last minute' },
  { age: 600, step: 5, label: 'Last 10 min' },
  { age: 3600, step: 60, label: 'Last hour' },
  { age: 28_800, step: 600, label: 'Last 8 hours' },
  { age: 86_400, step: 1800, label: 'Last day' },
];

/** `basic` ranges are those the broker keeps for single queues, connections and so on. */
export const range = (basic) => {
  const chosen = RANGES.find((one) => one.age === pref('range', 60)) ?? RANGES[0];
  return basic && chosen.age > 3600 ? RANGES[2] : chosen;
};

/** The query for samples of these kinds: `lengths`, `msg_rates`, `data_rates`, `node_stats`. */
export const samplesFor = (kinds, basic) => Object.fromEntries(kinds.flatMap((kind) =>
  [[`${kind}_age`, range(basic).age], [`${kind}_incr`, range(basic).step]]));

export const rangeChoice = (ctx, basic) =>
  h('select', {
    'aria-label': 'Range of the charts',
    class: 'range',
    value: String(range(basic).age),
    onchange: (event) => {
      setPref('range', Number(event.target.value));
      ctx.refresh();
    },
  }, RANGES.filter((one) => !basic || one.age <= 3600).map((one) =>
    h('option', { value: String(one.age), key: one.age, selected: one.age === range(basic).age }, one.label)));

/** A chart of `series`: `{id, label, tone, details, value, minor}` where `details` is the API's object
 * with `samples`, and a `minor` line is left out while it lies at zero. `kind` is `gauge` (samples as
 * they are) or `rate` (growth of a counter in a second); `base` is 1024 for bytes; `none` says what
 * it means that the broker has no figures. */
export function chart(ctx, { id, title, series, kind, none = 'No figures yet', show = format.short, base = 10 }) {
  const state = ctx.keep(`chart.${id}`, () => ({ at: null, own: new Map(), minor: false }));
  const off = pref(`chart.${id}`, {});
  const every = series.filter((one) => one.details !== undefined || one.value !== undefined)
    .map((one) => ({ ...one, points: points(one.details?.samples ?? seen(state, one, ctx.at), kind) }));
  const still = every.filter((one) => one.minor && peak(one) === 0);
  const all = state.minor ? every : every.filter((one) => !still.includes(one));
  const shown = all.filter((one) => !off[one.id]);
  const longest = Math.max(0, ...all.map((one) => one.points.length));
  return h('figure', { class: 'chart', key: id, 'data-chart': id },
    h('figcaption', {}, h('h3', {}, title)),
    longest > 1
      ? plot(ctx, state, shown, all.find((one) => one.points.length === longest).points, { show, title, base, kind })
      : blank(all.length ? 'The line begins with the next refresh' : none),
    h('ul', { class: 'legend' }, all.map((one) => legendItem(ctx, id, one, off, state, show, kind)),
      still.length > 0 && stillItem(ctx, state, still)));
}

/** The frame of a chart, with words where its lines will be. */
const blank = (words) => h('div', { class: 'plot' },
  h('div', { class: 'plot-area' },
    h('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, [0, 0.5, 1].map(gridLine)),
    h('p', { class: 'plot-words' }, h('span', {}, words))));

const gridLine = (part) => h('line', { class: 'grid', x1: 0, x2: WIDTH, y1: part * HEIGHT, y2: part * HEIGHT });

const stillItem = (ctx, state, still) => h('li', { key: 'still' }, h('button', {
  type: 'button',
  class: 'legend-item',
  'aria-pressed': String(state.minor),
  title: still.map((one) => one.label).join(', '),
  onclick: () => {
    state.minor = !state.minor;
    ctx.redraw();
  },
}, h('span', { class: 'muted' }, state.minor ? `Hide ${still.length} at zero` : `${still.length} more at zero`)));

/** Samples that this page took itself, for a broker that keeps none: from when it was opened. */
function seen(state, { id, value }, at) {
  if (typeof value !== 'number') return [];
  if (!state.own.has(id)) state.own.set(id, []);
  const samples = state.own.get(id);
  if (samples.at(-1)?.timestamp !== at) samples.push({ sample: value, timestamp: at });
  if (samples.length > OWN_SAMPLES_MAX) samples.shift();
  return samples;
}

function points(samples, kind) {
  const sorted = [...(samples ?? [])].sort((a, b) => a.timestamp - b.timestamp);
  if (kind !== 'rate') return sorted.map((one) => ({ t: one.timestamp, v: one.sample }));
  return sorted.slice(1).map((one, index) => {
    const before = sorted[index];
    const seconds = (one.timestamp - before.timestamp) / 1000;
    // A counter that fell was started anew.
    return { t: one.timestamp, v: seconds > 0 ? Math.max(0, (one.sample - before.sample) / seconds) : 0 };
  });
}

function plot(ctx, state, shown, times, { show, title, base, kind }) {
  const from = times[0].t;
  const to = times[times.length - 1].t;
  // Half a message is never queued.
  const top = ceiling(Math.max(kind === 'gauge' ? 2 : 0, ...shown.map(peak)), base);
  const x = (t) => ((t - from) / (to - from || 1)) * WIDTH;
  const y = (v) => HEIGHT - (v / top) * HEIGHT;
  const line = (of) => of.map((point, index) => `${index ? 'L' : 'M'}${x(point.t).toFixed(1)} ${y(point.v).toFixed(1)}`).join('');
  const mark = state.at === null ? null : times[Math.round(state.at * (times.length - 1))];
  return h('div', { class: 'plot' },
    h('div', { class: 'plot-y', 'aria-hidden': 'true' }, [top, top / 2, 0].map((value) => h('span', {}, show(value)))),
    h('div', {
      class: 'plot-area',
      onpointermove: (event) => {
        const box = event.currentTarget.getBoundingClientRect();
        state.at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
        ctx.redraw();
      },
      onpointerleave: () => {
        state.at = null;
        ctx.redraw();
      },
    },
    h('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${title}, ${format.clock(from)} to ${format.clock(to)}; at the end ${shown.map((one) => `${one.label} ${show(one.points.at(-1)?.v)}`).join(', ')}` },
      [0, 0.5, 1].map(gridLine),
      shown.filter((one) => one.area).map((one) => h('path', { class: `area ${one.tone}`, key: `area.${one.id}`, d: `${line(one.points)}V${HEIGHT}H0Z` })),
      // The busiest line is drawn last, above those that lie at zero.
      [...shown].sort((a, b) => peak(a) - peak(b)).map((one) => h('path', { class: `line ${one.tone}`, key: one.id, d: line(one.points) }))),
    mark && h('div', { class: 'cursor', style: { left: `${(x(mark.t) / WIDTH) * 100}%` } },
      h('span', { class: x(mark.t) > WIDTH / 2 ? 'cursor-time left' : 'cursor-time' }, format.clock(mark.t)))),
    h('div', { class: 'plot-x', 'aria-hidden': 'true' }, [from, (from + to) / 2, to].map((time) => h('span', {}, to - from > 600_000 ? format.minute(time) : format.clock(time)))));
}

function legendItem(ctx, id, one, off, state, show, kind) {
  const hidden = Boolean(off[one.id]);
  const point = state.at === null ? null : one.points[Math.round(state.at * (one.points.length - 1))];
  const now = kind === 'rate' ? one.details?.rate ?? one.points.at(-1)?.v : one.value ?? one.points.at(-1)?.v;
  return h('li', { key: one.id }, h('button', {
    type: 'button',
    class: `legend-item ${one.tone} ${hidden ? 'off' : ''}`,
    'aria-pressed': String(!hidden),
    title: hidden ? `Show ${one.label}` : `Hide ${one.label}`,
    onclick: () => {
      setPref(`chart.${id}`, { ...off, [one.id]: !hidden });
      ctx.redraw();
    },
  }, h('i', {}), h('span', {}, one.label), h('strong', { 'data-series': one.id }, show(point ? point.v : now))));
}

const peak = (one) => Math.max(0, ...one.points.map((point) => point.v));

/** A round number above `value`, whose half is round as well. */
function ceiling(value, base) {
  if (value <= 0) return base === 10 ? 1 : base;
  const power = base ** Math.floor(Math.log(value) / Math.log(base));
  const steps = base === 10 ? [1, 2, 4, 6, 8, 10] : [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
  return (steps.find((step) => step * power >= value) ?? base) * power;
}
