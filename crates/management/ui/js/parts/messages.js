// A queue's messages: browse, take, choose, re-drive.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { carry, origin } from '../lib/transfer.js';
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
  state.asked ??= detect(ctx, state, queue);
  const readable = queue.type !== 'stream' || state.browses;
  return [
    card({ title: 'Messages', actions: modeChoice(ctx, state, queue) },
      readable ? askForm(ctx, state, queue) : null,
      !readable && empty({ title: 'A stream is read by its consumers', text: 'Its messages are not taken from it, and this broker has no way to look at them from here.', iconName: 'streams' }),
      state.error && h('p', { class: 'form-error', role: 'alert' }, state.error),
      readable && found(ctx, state, queue)),
    publishForm(ctx, { vhost: queue.vhost, exchange: '', routingKey: queue.name, open: true }),
  ];
}

async function detect(ctx, state, queue) {
  const at = api.path('queues', queue.vhost, queue.name);
  [state.browses, state.redrives] = await Promise.all([api.canGet('browse', `${at}/messages?offset=0&count=1&truncate=0`), api.canPost('redrive', `${at}/redrive`)]);
  ctx.redraw();
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
    h('small', { class: 'hint spaced' }, explanation(state, take)),
    h('footer', {}, h('button', { class: `button primary ${take ? 'danger' : ''}`, disabled: state.busy }, state.busy ? 'Reading…' : take ? 'Take messages' : 'Browse messages')));
}

function explanation(state, take) {
  if (take) return 'Taken messages leave the queue.';
  if (state.browses) return 'Browsing changes nothing: the messages stay where they are, as they are.';
  return 'This broker can only take messages and put them back at once: they stay in the queue, marked as redelivered.';
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
  const at = api.path('queues', queue.vhost, queue.name);
  if (state.browses) {
    const answer = await api.get(`${at}/messages${api.query({ offset: state.offset, count: state.count, encoding: state.encoding, truncate: SHOWN_BYTES })}`);
    return { list: answer.messages ?? answer };
  }
  return { list: await api.post(`${at}/get`, { count: state.count, ackmode: 'ack_requeue_true', encoding: state.encoding, truncate: SHOWN_BYTES }) };
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
    state.browses && state.mode === 'browse' && turner(ctx, state, queue),
    dead && redriveBar(ctx, state, queue));
}

/** Without the endpoint only the head can be re-driven: choosing one chooses all before it. */
function choose(ctx, state, index, on) {
  if (state.redrives) state.chosen[on ? 'add' : 'delete'](index);
  else state.chosen = new Set(Array.from({ length: on ? index + 1 : index }, (_, at) => at));
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
    !state.redrives && h('small', { class: 'muted' }, 'From the head of the queue: a message with all before it.'),
    h('span', { class: 'push' }),
    h('button', { class: 'button primary', type: 'button', disabled: chosen.length === 0 || state.busy, onclick: () => redrive(ctx, state, queue, chosen) },
      icon('refresh'), state.driven ? `Re-driving ${state.driven} of ${chosen.length}…` : 'Re-drive'));
}

async function redrive(ctx, state, queue, chosen) {
  const places = [...new Set(chosen.map((index) => origin(state.list[index])?.queue).filter(Boolean))];
  const sure = await confirm({
    title: `Re-drive ${format.plural(chosen.length, 'message')}?`,
    body: [h('p', {}, `They go back to where they died: ${places.join(', ')}, and leave ${queue.name}.`),
      !state.redrives && h('p', {}, 'Each is copied before it is removed: should something fail, a message may be there twice, but none is lost. Nobody else should read from this queue meanwhile.')],
    action: 'Re-drive',
    danger: false,
  });
  if (!sure) return;
  await ask(ctx, state, async () => {
    const number = await (state.redrives ? byBroker(state, queue, chosen) : byHand(ctx, state, queue, chosen.length));
    toast(`${format.plural(number, 'message')} re-driven`);
    return {};
  });
  state.driven = 0;
  const trouble = state.error;
  await browse(ctx, state, queue);
  state.error = trouble ?? state.error;
  ctx.refresh();
}

async function byBroker(state, queue, chosen) {
  const ids = chosen.map((index) => state.list[index].id);
  const answer = await api.post(`${api.path('queues', queue.vhost, queue.name)}/redrive`, { ids });
  if (answer?.left?.length) toast(`${format.plural(answer.left.length, 'message')} stayed: ${answer.left[0].reason}`, 'warn');
  return answer?.redriven ?? ids.length;
}

const byHand = (ctx, state, queue, count) => carry({
  vhost: queue.vhost, queue: queue.name, count, target: (message) => origin(message)?.queue,
  progress: (done) => {
    state.driven = done;
    ctx.redraw();
  },
});
