// A queue's messages: browse, take, choose, re-drive.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { origin } from '../lib/transfer.js';
import { button, card, empty } from './bits.js';
import { confirm } from './dialog.js';
import { icon } from './icons.js';
import { messageView } from './message.js';
import { publishForm } from './publish.js';
import { toast } from './toast.js';

const SHOWN_BYTES = 64 * 1024;
const COUNT_MAX = 200;

const ACK_MODES = [
  ['ack_requeue_false', 'Take and acknowledge: they are gone'],
  ['reject_requeue_false', 'Take and reject: they are dead-lettered or gone'],
];

/** The tab of a queue's page. */
export function messagesTab(ctx, queue) {
  const state = ctx.keep('messages', () => ({ mode: 'browse', count: 10, offset: 0, ackmode: ACK_MODES[0][0], encoding: 'auto', list: null, chosen: new Set(), busy: false, error: null }));
  const readable = queue.type !== 'stream';
  return [
    card({ title: 'Messages', actions: modeChoice(ctx, state, queue) },
      readable ? askForm(ctx, state, queue) : null,
      !readable && empty({ title: 'A stream is read by its consumers', text: 'Its messages are not taken from it, and this broker has no way to look at them from here.', iconName: 'streams' }),
      state.error && h('p', { class: 'form-error', role: 'alert' }, state.error),
      readable && found(ctx, state, queue)),
    publishForm(ctx, { vhost: queue.vhost, exchange: '', routingKey: queue.name, open: true }),
  ];
}

const modeChoice = (ctx, state, queue) => queue.type !== 'stream' && h('div', { class: 'segments', role: 'group', 'aria-label': 'What to do' },
  [['browse', 'Browse'], ['take', 'Take']].map(([mode, label]) => h('button', {
    type: 'button',
    class: state.mode === mode ? 'on' : '',
    'aria-pressed': String(state.mode === mode),
    onclick: () => {
      Object.assign(state, { mode, list: null, error: null });
      ctx.redraw();
    },
  }, label)));

function askForm(ctx, state, queue) {
  const take = state.mode === 'take';
  const set = (name, value) => {
    state[name] = value;
    ctx.redraw();
  };
  const onsubmit = (event) => {
    event.preventDefault();
    state.offset = 0;
    return take ? takeSome(ctx, state, queue) : browse(ctx, state, queue);
  };
  return h('form', { class: 'form inline', onsubmit },
    h('div', { class: 'form-fields' },
      h('div', { class: 'field' }, h('label', { for: 'count' }, 'How many'),
        h('input', { id: 'count', type: 'number', min: 1, max: COUNT_MAX, required: true, value: state.count, oninput: (event) => set('count', Number(event.target.value)) })),
      h('div', { class: 'field' }, h('label', { for: 'encoding' }, 'Payload as'),
        h('select', { id: 'encoding', value: state.encoding, onchange: (event) => set('encoding', event.target.value) },
          [['auto', 'Text where it is text'], ['base64', 'Base64']].map(([key, label]) => h('option', { value: key, selected: key === state.encoding }, label)))),
      take && h('div', { class: 'field', key: 'ackmode' }, h('label', { for: 'ackmode' }, 'And then'),
        h('select', { id: 'ackmode', value: state.ackmode, onchange: (event) => set('ackmode', event.target.value) },
          ACK_MODES.map(([key, label]) => h('option', { value: key, selected: key === state.ackmode }, label))))),
    h('small', { class: 'hint spaced' }, explanation(take)),
    h('footer', {}, h('button', { class: `button primary ${take ? 'danger' : ''}`, disabled: state.busy }, state.busy ? 'Reading…' : take ? 'Take messages' : 'Browse messages')));
}

function explanation(take) {
  if (take) return 'Taken messages leave the queue.';
  return 'Browsing changes nothing: the messages stay where they are, as they are.';
}

async function ask(ctx, state, request) {
  Object.assign(state, { busy: true, error: null });
  ctx.redraw();
  try {
    Object.assign(state, await request());
    state.chosen = new Set();
  } catch (error) {
    state.error = error.message;
  }
  state.busy = false;
  ctx.redraw();
}

const browse = (ctx, state, queue) => ask(ctx, state, async () => {
  const wanted = { offset: state.offset, count: state.count, encoding: state.encoding, truncate: SHOWN_BYTES };
  return { list: await api.get(`${api.path('queues', queue.vhost, queue.name)}/messages${api.query(wanted)}`) };
});

async function takeSome(ctx, state, queue) {
  const sure = await confirm({
    title: `Take ${format.plural(state.count, 'message')} from ${queue.name}?`,
    body: state.ackmode === 'ack_requeue_false'
      ? 'They are acknowledged and leave the queue for good. You see each of them once, here.'
      : 'They are rejected: the queue’s dead-letter exchange gets them, or nobody does.',
    action: 'Take messages',
  });
  if (!sure) return;
  await ask(ctx, state, async () => ({
    list: await api.post(`${api.path('queues', queue.vhost, queue.name)}/get`, { count: state.count, ackmode: state.ackmode, encoding: state.encoding }),
  }));
  ctx.refresh();
}

function found(ctx, state, queue) {
  if (state.list === null) return null;
  if (state.list.length === 0) return empty({ title: 'No messages', text: state.offset ? 'There are no messages that far back.' : `Nothing is ready in ${queue.name} now.`, iconName: 'queues' });
  const dead = state.mode === 'browse' && state.list.some(origin);
  return h('div', {},
    h('div', { class: 'messages' }, state.list.map((message, index) => messageView(message, {
      vhost: queue.vhost,
      position: state.offset + index + 1,
      key: message.id ?? index,
      choice: dead && { chosen: state.chosen.has(index), set: (on) => choose(ctx, state, index, on) },
    }))),
    state.mode === 'browse' && turner(ctx, state, queue),
    dead && redriveBar(ctx, state, queue));
}

function choose(ctx, state, index, on) {
  state.chosen[on ? 'add' : 'delete'](index);
  ctx.redraw();
}

function turner(ctx, state, queue) {
  const turn = (by) => {
    state.offset = Math.max(0, state.offset + by);
    browse(ctx, state, queue);
  };
  return h('footer', { class: 'pager' },
    h('span', { class: 'push muted' }, `From ${format.count(state.offset + 1)}`),
    button('Before', () => turn(-state.count), { disabled: state.offset === 0, iconName: 'left' }),
    button('After', () => turn(state.count), { disabled: state.list.length < state.count, iconName: 'right' }));
}

function redriveBar(ctx, state, queue) {
  const chosen = [...state.chosen].sort((a, b) => a - b);
  const all = chosen.length === state.list.length;
  return h('div', { class: 'message-bar' },
    h('label', { class: 'field check' }, h('input', { type: 'checkbox', checked: all, indeterminate: chosen.length > 0 && !all, onchange: (event) => {
      state.chosen = new Set(event.target.checked ? state.list.keys() : []);
      ctx.redraw();
    } }), h('span', {}, chosen.length ? `${format.plural(chosen.length, 'message')} chosen` : 'Choose all')),
    h('span', { class: 'push' }),
    h('button', { class: 'button primary', type: 'button', disabled: chosen.length === 0 || state.busy, onclick: () => redrive(ctx, state, queue, chosen) },
      icon('refresh'), 'Re-drive'));
}

async function redrive(ctx, state, queue, chosen) {
  const places = [...new Set(chosen.map((index) => origin(state.list[index])?.queue).filter(Boolean))];
  const sure = await confirm({
    title: `Re-drive ${format.plural(chosen.length, 'message')}?`,
    body: h('p', {}, `They go back to where they died: ${places.join(', ')}, as they were, and leave ${queue.name} once they are safe there.`),
    action: 'Re-drive',
    danger: false,
  });
  if (!sure) return;
  await ask(ctx, state, async () => {
    const ids = chosen.map((index) => state.list[index].id);
    const { redriven, left } = await api.post(`${api.path('queues', queue.vhost, queue.name)}/redrive`, { ids }, { timeout: 60_000 });
    toast(`${format.plural(redriven, 'message')} re-driven`);
    if (left.length) toast(`${format.plural(left.length, 'message')} stayed: ${left[0].reason}`, 'warn');
    return {};
  });
  const trouble = state.error;
  await browse(ctx, state, queue);
  state.error = trouble ?? state.error;
  ctx.refresh();
}
