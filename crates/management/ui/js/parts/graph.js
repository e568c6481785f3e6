// Bindings, drawn: what leads here on the left, where it goes on to on the right.

import { h } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { link } from '../lib/router.js';
import { tag } from './bits.js';
import { icon } from './icons.js';

const ROW = 40;
/** Ends of one side at first, and once the reader asks for more; the table below has all. */
const FEW = 12;
const MANY = 100;
const KEYS_SHOWN = 2;
const KEY_LENGTH_MAX = 28;
/** In a tall drawing the middle stays in sight. */
const MIDDLE_MAX = (FEW * ROW) / 2;

/** `name` with what is bound to it. `after` are further ways out that are no bindings:
 * `{key, label, vhost, exchange}`. `id` names what the reader unfolded. */
export function bindingGraph(ctx, { id, kind, name, incoming, outgoing, after = [] }) {
  const state = ctx.keep(`graph.${id}`, () => ({ all: false }));
  const most = state.all ? MANY : FEW;
  const left = cut(ends(incoming, 'source'), most);
  const right = cut([...ends(outgoing, 'destination'), ...after.map((way) => ({ ...way, name: way.exchange, kind: 'exchanges', aside: true }))], most);
  const rows = Math.max(left.rows, right.rows);
  if (rows === 0) return null;
  const height = rows * ROW;
  const middle = Math.min(height / 2, MIDDLE_MAX);
  const shape = left.rows && right.rows ? '' : left.rows ? 'from' : 'to';
  return h('div', { class: `graph ${shape}`, role: 'group', 'aria-label': `Bindings of ${name}`, key: 'graph' },
    left.rows > 0 && side(ctx, state, left, middle, true),
    left.rows > 0 && curves(left, height, middle, true),
    h('div', { class: 'graph-centre', style: { 'margin-top': `${Math.max(0, middle - ROW / 2)}px` } }, icon(kind), h('span', { title: name }, format.exchangeName(name))),
    right.rows > 0 && curves(right, height, middle, false),
    right.rows > 0 && side(ctx, state, right, middle, false));
}

/** Bindings by their other end: several keys to one queue are one line. */
function ends(bindings, side) {
  const found = new Map();
  for (const binding of bindings) {
    const exchange = side === 'source' || binding.destination_type === 'exchange';
    const key = `${exchange}\n${binding[side]}`;
    if (!found.has(key)) found.set(key, { key, kind: exchange ? 'exchanges' : 'queues', vhost: binding.vhost, name: binding[side], keys: [] });
    found.get(key).keys.push(describe(binding));
  }
  return [...found.values()];
}

/** What a message must have to take this way: its routing key, or headers. */
function describe({ routing_key: key, arguments: given }) {
  const headers = Object.entries(given ?? {}).map(([name, value]) => `${name}: ${format.value(value)}`).join(', ');
  return [key, headers].filter(Boolean).join('; ');
}

const cut = (all, most) => {
  const shown = all.length > most ? all.slice(0, most - 1) : all;
  return { shown, more: all.length - shown.length, rows: Math.min(all.length, most) };
};

/** Where the first row begins, so that the rows stand around the middle. */
const first = (part, middle) => Math.max(0, middle - (part.rows * ROW) / 2);

function side(ctx, state, part, middle, incoming) {
  return h('ul', { class: incoming ? 'graph-side in' : 'graph-side', style: { 'padding-top': `${first(part, middle)}px` } },
    part.shown.map((end) => h('li', { key: end.key },
      h('span', { class: 'graph-keys' }, end.aside ? tag(end.label, '', 'warn') : keys(end.keys)),
      h('span', { class: 'graph-node' }, icon(end.kind), h('a', { href: link(end.kind, end.vhost, end.name || 'amq.default'), title: end.name }, format.exchangeName(end.name))))),
    part.more > 0 && h('li', { key: 'more' }, h('span', {}), more(ctx, state, part.more)));
}

const more = (ctx, state, number) => (state.all
  ? h('span', { class: 'muted' }, `${format.count(number)} more in the table`)
  : h('button', {
    class: 'button small',
    type: 'button',
    onclick: () => {
      state.all = true;
      ctx.redraw();
    },
  }, `Show ${format.count(number)} more`));

function keys(all) {
  const given = all.filter(Boolean);
  const over = given.length - KEYS_SHOWN;
  return [
    given.slice(0, KEYS_SHOWN).map((key) => tag(key.length > KEY_LENGTH_MAX ? `${key.slice(0, KEY_LENGTH_MAX - 1)}…` : key, key)),
    over > 0 && tag(`+${over}`, given.slice(KEYS_SHOWN).join('\n')),
  ];
}

function curves(part, height, middle, incoming) {
  const y = (index) => first(part, middle) + index * ROW + ROW / 2;
  return h('svg', { viewBox: `0 0 72 ${height}`, style: { height: `${height}px` }, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    Array.from({ length: part.rows }, (_, index) => h('path', {
      class: part.shown[index]?.aside ? 'aside' : null,
      d: incoming ? `M0 ${y(index)}C40 ${y(index)} 32 ${middle} 72 ${middle}` : `M0 ${middle}C40 ${middle} 32 ${y(index)} 72 ${y(index)}`,
    })));
}
