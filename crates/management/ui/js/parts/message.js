// One message, to look at.

import { h } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { isTrace, origin } from '../lib/transfer.js';
import { button, facts, queueLink, table, tag } from './bits.js';
import { copy } from './copy.js';
import { coloured, layOut } from './json.js';

/** `choice` is `{chosen, set}` where messages can be chosen. */
export function messageView(message, { vhost, position, choice, key }) {
  const death = origin(message);
  const cut = cutOff(message);
  return h('article', { class: choice?.chosen ? 'message chosen' : 'message', key },
    h('header', {},
      h('label', {},
        choice && h('input', { type: 'checkbox', checked: choice.chosen, onchange: (event) => choice.set(event.target.checked), 'aria-label': `Choose message ${position}` }),
        h('span', {}, `#${position}`)),
      h('span', { class: 'soft break' }, format.exchangeName(message.exchange), ' → ', h('span', { class: 'mono' }, message.routing_key || '(no key)')),
      h('span', { class: 'muted' }, format.bytes(message.payload_bytes)),
      message.redelivered && tag('redelivered', 'Was delivered before'),
      death && tag(`${death.reason} in ${death.queue}`, 'Dead letter', 'warn'),
      h('span', { class: 'push' }),
      button('Copy', () => copy(message.payload, 'Payload'), { tone: 'small plain', iconName: 'copy' })),
    h('div', { class: 'message-body' },
      h('div', {}, h('pre', { tabindex: '0' }, readable(message)), cut && h('p', { class: 'muted' }, `The first ${format.bytes(cut)} of ${format.bytes(message.payload_bytes)}.`)),
      h('div', {}, death && deathFacts(vhost, death), properties(message))));
}

const deathFacts = (vhost, death) => facts([
  ['Came from', queueLink(vhost, death.queue)],
  ['Because', death.reason],
  ['Published to', `${format.exchangeName(death.exchange ?? '')} → ${death.keys.join(', ') || '(no key)'}`],
  ['Times', format.count(death.count)],
]);

function properties(message) {
  const given = Array.isArray(message.properties) ? {} : { ...message.properties };
  if (typeof given.timestamp === 'number') given.timestamp = format.date(given.timestamp * 1000);
  if (given.delivery_mode) given.delivery_mode = given.delivery_mode === 2 ? 'persistent' : 'not persistent';
  const { headers, ...rest } = given;
  const own = Object.entries(headers ?? {}).filter(([name]) => !isTrace(name));
  const traces = Object.entries(headers ?? {}).filter(([name]) => isTrace(name));
  return h('div', { class: 'stack tight' },
    facts(Object.entries(rest).map(([name, value]) => [name, format.value(value)])),
    own.length > 0 && h('div', {}, h('p', { class: 'muted' }, 'Headers'), table(Object.fromEntries(own))),
    traces.length > 0 && h('details', {}, h('summary', { class: 'muted' }, 'Headers that the broker added'), table(Object.fromEntries(traces))));
}

/** JSON is laid out; all else stays as it came. */
function readable({ payload, payload_encoding: encoding }) {
  if (payload === '') return h('span', { class: 'muted' }, '(empty)');
  const json = encoding === 'string' ? layOut(payload) : null;
  return json === null ? payload : coloured(json);
}

function cutOff({ payload, payload_bytes: whole, payload_encoding: encoding }) {
  const shown = encoding === 'base64' ? Math.floor((payload.length * 3) / 4) : new Blob([payload]).size;
  return shown + 2 < whole ? shown : null;
}
