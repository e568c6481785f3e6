// Bindings as a table, and how they are added and removed.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { button, empty, exchangeLink, queueLink, table } from './bits.js';
import { confirm, formDialog } from './dialog.js';
import { BINDING_ARGUMENTS } from './hints.js';
import { toObject } from './pairs.js';
import { localTable } from './table.js';
import { toast } from './toast.js';

const endLink = (binding, side) => {
  if (side === 'source') return exchangeLink(binding.vhost, binding.source);
  return binding.destination_type === 'queue' ? queueLink(binding.vhost, binding.destination) : exchangeLink(binding.vhost, binding.destination);
};

/** A table of bindings; `side` is the end that is not this page's thing. */
export const bindingTable = (ctx, { id, bindings, side, none }) => localTable(ctx, {
  id,
  rows: bindings,
  caption: side === 'source' ? 'Bindings from exchanges' : 'Bindings from here',
  rowKey: (binding) => `${binding.source}\n${binding.destination_type}\n${binding.destination}\n${binding.properties_key}`,
  text: (binding) => `${binding[side]} ${binding.routing_key} ${JSON.stringify(binding.arguments)}`,
  placeholder: 'Filter bindings',
  none: none ?? empty({ title: 'No bindings' }),
  columns: [
    { id: 'end', title: side === 'source' ? 'From' : 'To', sort: 'end', value: (binding) => binding[side], cell: (binding) => h('span', {}, endLink(binding, side), side === 'destination' && h('span', { class: 'sub' }, binding.destination_type)) },
    { id: 'key', title: 'Routing key', sort: 'key', value: (binding) => binding.routing_key, cell: (binding) => h('span', { class: 'mono break' }, binding.routing_key || h('span', { class: 'muted' }, 'none')) },
    { id: 'arguments', title: 'Arguments', cell: (binding) => table(binding.arguments) },
    { id: 'actions', title: '', class: 'actions', cell: (binding) => binding.source !== '' && button('Unbind', () => unbind(ctx, binding), { tone: 'small' }) },
  ],
});

const where = (binding) =>
  `${api.path('bindings', binding.vhost, 'e', binding.source, binding.destination_type === 'queue' ? 'q' : 'e', binding.destination)}`;

async function unbind(ctx, binding) {
  const sure = await confirm({
    title: `Unbind ${binding.destination} from ${format.exchangeName(binding.source)}?`,
    body: ['Messages with the routing key ', h('span', { class: 'mono' }, binding.routing_key || '(none)'), ' no longer go there by this binding.'],
    action: 'Unbind',
  });
  if (!sure) return;
  try {
    await api.del(`${where(binding)}/${encodeURIComponent(binding.properties_key)}`);
    toast(`${binding.destination} is no longer bound to ${binding.source}`);
  } catch (error) {
    toast(error.message, 'bad');
  }
  ctx.refresh();
}

/** Asks for the other end and binds. `here` is `{vhost, source}` or `{vhost, destination_type, destination}`. */
export const addBinding = (ctx, here) => formDialog({
  title: here.source === undefined ? `Bind ${here.destination} to an exchange` : `Bind from ${here.source}`,
  action: 'Bind',
  values: { destination_type: 'queue' },
  fields: () => [
    here.source === undefined && { name: 'source', label: 'From exchange', required: true },
    here.source !== undefined && { name: 'destination_type', label: 'To', type: 'select', options: [['queue', 'Queue'], ['exchange', 'Exchange']] },
    here.source !== undefined && { name: 'destination', label: 'Its name', required: true },
    { name: 'routing_key', label: 'Routing key' },
    { name: 'arguments', label: 'Arguments', type: 'pairs', hints: BINDING_ARGUMENTS },
  ],
  async submit(values) {
    const binding = { ...values, ...here };
    await api.post(where(binding), { routing_key: values.routing_key, arguments: toObject(values.arguments) });
    toast(`${binding.destination} is bound to ${binding.source}`);
    ctx.refresh();
  },
});
