// One queue or stream.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { setQuery } from '../lib/router.js';
import { outlook } from '../parts/backlogs.js';
import { button, card, empty, exchangeLink, facts, head, stat, state, tag, table, time, vhostLink } from '../parts/bits.js';
import { addBinding, bindingTable } from '../parts/bindings.js';
import { lengthsChart, ratesChart } from '../parts/charts.js';
import { rangeChoice, samplesFor } from '../parts/chart.js';
import { consumerTable } from '../parts/consumers.js';
import { policyFacts } from '../parts/features.js';
import { bindingGraph } from '../parts/graph.js';
import { messagesTab } from '../parts/messages.js';
import { dataTable } from '../parts/table.js';
import { deleteQueue, moveMessages, purge } from '../parts/queue-actions.js';

export default {
  title: (ctx) => ctx.params.name,
  async load({ params }, signal) {
    const at = api.path('queues', params.vhost, params.name);
    const [queue, bindings, publishers] = await Promise.all([
      api.get(at + api.query(samplesFor(['lengths', 'msg_rates'], true)), { signal }),
      api.getOr([], `${at}/bindings`, { signal }),
      api.getOr([], api.path('stream', 'publishers', params.vhost, params.name), { signal }),
    ]);
    return { queue, bindings, publishers };
  },
  view: (ctx) => {
    const { queue, bindings } = ctx.data;
    const tabs = [['', 'Overview'], ['messages', 'Messages'], ['bindings', 'Bindings', bindings.length], ['consumers', 'Consumers', queue.consumers]];
    const views = { '': overviewTab, messages: () => messagesTab(ctx, queue), bindings: bindingsTab, consumers: consumersTab };
    const tab = ctx.query.tab in views ? ctx.query.tab : '';
    return [
      head({
        title: queue.name,
        copy: queue.name,
        tags: [tag(queue.type ?? 'queue', 'Type', 'accent'), state(queue.state), queue.messages_ready > 0 && outlook(queue)],
        sub: ['in virtual host ', vhostLink(queue.vhost)],
        up: { href: '#/queues', label: 'Queues and streams' },
        actions: [
          queue.type !== 'stream' && button('Move', () => moveMessages(ctx, queue)),
          queue.type !== 'stream' && button('Purge', () => purge(ctx, queue)),
          button('Delete', () => deleteQueue(ctx, queue), { tone: 'danger', iconName: 'trash' }),
        ],
      }),
      tabBar(ctx, tabs, tab),
      h('div', { class: 'stack', key: `tab-${tab}` }, views[tab](ctx)),
    ];
  },
};

export const tabBar = (ctx, tabs, current) => h('nav', { class: 'tabs', 'aria-label': 'Parts of this page' }, tabs.map(([id, label, number]) =>
  h('button', {
    type: 'button',
    key: id,
    'aria-current': id === current ? 'true' : null,
    onclick: () => {
      ctx.query.tab = id;
      setQuery({ tab: id });
      ctx.redraw();
    },
  }, label, number !== undefined && h('span', { class: 'tab-count' }, format.short(number)))));

const overviewTab = (ctx) => {
  const { queue, publishers } = ctx.data;
  return [
    glance(queue),
    card({ title: 'Activity', actions: rangeChoice(ctx, true) },
      h('div', { class: 'charts' }, lengthsChart(ctx, queue, 'queue.lengths'), ratesChart(ctx, queue.message_stats, 'queue.rates'))),
    h('div', { class: 'split' }, card({ title: 'Details' }, details(queue)), card({ title: 'Messages' }, matrix(queue))),
    (queue.incoming?.length > 0 || queue.deliveries?.length > 0) && traffic(queue),
    publishers.length > 0 && card({ title: 'Stream publishers', flush: true }, publisherTable(publishers)),
  ];
};

const rateOf = (queue, key) => format.rate(queue.message_stats?.[`${key}_details`]?.rate);

const glance = (queue) => h('div', { class: 'stats', key: 'glance' },
  stat('Ready', format.short(queue.messages_ready)),
  stat('Unacked', format.short(queue.messages_unacknowledged)),
  stat('Consumers', format.count(queue.consumers)),
  stat('In', rateOf(queue, 'publish')),
  stat('Out', rateOf(queue, 'deliver_get')),
  stat('Body bytes', format.bytes(queue.message_bytes)));

const MATRIX = [
  ['Total', 'messages', 'message_bytes'], ['Ready', 'messages_ready', 'message_bytes_ready'], ['Unacked', 'messages_unacknowledged', 'message_bytes_unacknowledged'],
  ['In memory', 'messages_ram', 'message_bytes_ram'], ['Persistent', 'messages_persistent', 'message_bytes_persistent'],
  ['Returned', 'messages_returned', null], ['Delayed', 'messages_delayed', null], ['Dead-lettered', 'messages_dlx', 'message_bytes_dlx'],
];

const matrix = (queue) => dataTable({
  caption: 'Messages and bytes',
  tight: true,
  rows: MATRIX.filter(([, count]) => typeof queue[count] === 'number'),
  rowKey: ([label]) => label,
  none: h('p', { class: 'muted' }, 'The broker keeps no counts of this queue.'),
  columns: [
    { id: 'what', title: '', label: 'Kind', cell: ([label]) => label },
    { id: 'count', title: 'Messages', num: true, cell: ([, count]) => format.count(queue[count]) },
    { id: 'bytes', title: 'Body bytes', num: true, cell: ([, , bytes]) => (bytes ? format.bytes(queue[bytes]) : '') },
  ],
});

const details = (queue) => facts([
  ['Durable', queue.durable ? 'yes' : 'no'],
  queue.auto_delete && ['Auto-delete', 'yes'],
  queue.exclusive && ['Exclusive', 'yes'],
  ['Arguments', table(queue.arguments)],
  ...policyFacts(queue),
  ['Consumer capacity', queue.consumer_capacity === undefined ? undefined : format.percent(queue.consumer_capacity)],
  ['Single active consumer', queue.arguments?.['x-single-active-consumer'] ? queue.single_active_consumer_tag ?? null : undefined],
  ['Idle since', queue.idle_since && time(queue.idle_since)],
  ['Head message’s time', queue.head_message_timestamp ? time(queue.head_message_timestamp * 1000) : undefined],
  ['Delivery limit', queue.delivery_limit],
  ['Delayed retry', queue.delayed_retry],
  ['Leader', queue.leader],
  ['Members', queue.members && h('span', { class: 'tags' }, queue.members.map((member) => tag(member, queue.online?.includes(member) === false ? 'Not online' : 'Online', queue.online?.includes(member) === false ? 'bad' : '')))],
  queue.readers && ['Readers', table(queue.readers)],
  ['Segments', queue.segments === undefined ? undefined : format.count(queue.segments)],
  ['Memory', queue.memory === undefined ? undefined : format.bytes(queue.memory)],
  ['Node', queue.node],
  ['Storage version', queue.storage_version],
]);

function traffic(queue) {
  const rateOf = (one, key) => format.rate(one.stats?.[`${key}_details`]?.rate);
  const one = (title, rows, link, key) => rows?.length > 0 && card({ title, flush: true }, dataTable({
    caption: title,
    rows,
    rowKey: (row) => JSON.stringify(row.exchange ?? row.channel_details),
    columns: [{ id: 'who', title: 'From', cell: link }, { id: 'rate', title: 'Rate', num: true, cell: (row) => rateOf(row, key) }],
  }));
  return h('div', { class: 'cards' },
    one('Incoming', queue.incoming, (row) => exchangeLink(queue.vhost, row.exchange.name), 'publish'),
    one('Deliveries', queue.deliveries, (row) => row.channel_details?.name ?? '', 'deliver_get'));
}

const publisherTable = (publishers) => dataTable({
  caption: 'Stream publishers',
  rows: publishers,
  rowKey: (one) => `${one.connection_details.name}\n${one.publisher_id}`,
  columns: [
    { id: 'connection', title: 'Connection', cell: (one) => one.connection_details.name },
    { id: 'reference', title: 'Reference', cell: (one) => one.reference || format.NONE },
    { id: 'published', title: 'Published', num: true, cell: (one) => format.count(one.published) },
    { id: 'confirmed', title: 'Confirmed', num: true, cell: (one) => format.count(one.confirmed) },
    { id: 'errored', title: 'Errored', num: true, cell: (one) => format.count(one.errored) },
  ],
});

/** Where the messages go that this queue gives up. */
function deadLetterWay({ vhost, arguments: given, effective_policy_definition: policy }) {
  const name = given?.['x-dead-letter-exchange'] ?? policy?.['dead-letter-exchange'];
  if (name === undefined) return [];
  const key = given?.['x-dead-letter-routing-key'] ?? policy?.['dead-letter-routing-key'];
  return [{ key: 'dead', label: key === undefined ? 'dead letters' : `dead letters as ${key}`, vhost, exchange: name }];
}

const bindingsTab = (ctx) => {
  const { queue, bindings } = ctx.data;
  const bind = button('Bind to an exchange', () => addBinding(ctx, { vhost: queue.vhost, destination_type: 'queue', destination: queue.name }), { iconName: 'plus' });
  return card({ title: 'Bindings', actions: bind },
    bindingGraph(ctx, { id: 'queue', kind: 'queues', name: queue.name, incoming: bindings, outgoing: [], after: deadLetterWay(queue) }),
    bindingTable(ctx, { id: 'queue.bindings', bindings, side: 'source', none: empty({ title: 'No bindings', text: 'Nothing reaches this queue. Bind it to an exchange, or publish to the default exchange with its name as the routing key.' }) }));
};

const consumersTab = (ctx) => card({ title: 'Consumers', flush: true }, consumerTable(ctx, { consumers: ctx.data.queue.consumer_details ?? [], of: 'queue' }));
