// One connection of the stream protocol.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { go } from '../lib/router.js';
import { button, card, empty, facts, head, queueLink, state, table, tag, time, userLink, vhostLink } from '../parts/bits.js';
import { dataChart } from '../parts/charts.js';
import { rangeChoice, samplesFor } from '../parts/chart.js';
import { confirm } from '../parts/dialog.js';
import { dataTable } from '../parts/table.js';
import { toast } from '../parts/toast.js';

const at = (params) => api.path('stream', 'connections', params.vhost, params.name);

export default {
  title: (ctx) => ctx.params.name,
  async load({ params }, signal) {
    const [connection, publishers, consumers] = await Promise.all([
      api.get(at(params) + api.query(samplesFor(['data_rates'], true)), { signal }),
      api.getOr([], `${at(params)}/publishers`, { signal }),
      api.getOr([], `${at(params)}/consumers`, { signal }),
    ]);
    return { connection, publishers, consumers };
  },
  view: (ctx) => {
    const { connection, publishers, consumers } = ctx.data;
    return [
      head({
        title: connection.user_provided_name || connection.name,
        sub: connection.name,
        tags: [tag('stream', 'Protocol', 'accent')],
        up: { href: '#/stream/connections', label: 'Stream connections' },
        actions: button('Close connection', () => close(ctx), { tone: 'danger' }),
      }),
      card({ title: 'Activity', actions: rangeChoice(ctx, true) }, h('div', { class: 'charts' }, dataChart(ctx, connection, 'stream.data'))),
      card({ title: 'Details' }, facts([
        ['State', state(connection.state)], ['User', userLink(connection.user)], ['Virtual host', vhostLink(connection.vhost)],
        ['Connected', time(connection.connected_at)], ['Heartbeat', `${connection.timeout} s`], ['Largest frame', format.bytes(connection.frame_max)],
        ['TLS', connection.ssl ? connection.ssl_protocol ?? 'yes' : 'no'], ['Client', table(connection.client_properties)], ['Node', connection.node],
      ])),
      card({ title: 'Publishers', flush: true }, publisherTable(publishers)),
      card({ title: 'Consumers', flush: true }, consumerTable(consumers)),
    ];
  },
};

const publisherTable = (rows) => dataTable({
  caption: 'Publishers',
  rows,
  rowKey: (row) => row.publisher_id,
  none: empty({ title: 'No publishers' }),
  columns: [
    { id: 'stream', title: 'Stream', cell: (row) => queueLink(row.queue.vhost, row.queue.name) },
    { id: 'id', title: 'Id', num: true, cell: (row) => row.publisher_id },
    { id: 'reference', title: 'Reference', cell: (row) => row.reference || format.NONE },
    { id: 'published', title: 'Published', num: true, cell: (row) => format.count(row.published) },
    { id: 'confirmed', title: 'Confirmed', num: true, cell: (row) => format.count(row.confirmed) },
    { id: 'errored', title: 'Errored', num: true, cell: (row) => format.count(row.errored) },
  ],
});

const consumerTable = (rows) => dataTable({
  caption: 'Consumers',
  rows,
  rowKey: (row) => row.subscription_id,
  none: empty({ title: 'No consumers' }),
  columns: [
    { id: 'stream', title: 'Stream', cell: (row) => queueLink(row.queue.vhost, row.queue.name) },
    { id: 'id', title: 'Id', num: true, cell: (row) => row.subscription_id },
    { id: 'consumed', title: 'Consumed', num: true, cell: (row) => format.count(row.consumed) },
    { id: 'offset', title: 'Offset', num: true, cell: (row) => format.count(row.offset) },
    { id: 'lag', title: 'Lag', num: true, cell: (row) => format.count(row.offset_lag) },
    { id: 'credits', title: 'Credits', num: true, cell: (row) => format.count(row.credits) },
    { id: 'active', title: 'Active', cell: (row) => tag(row.active ? 'active' : 'waiting', row.activity_status, row.active ? 'good' : '') },
    { id: 'properties', title: 'Properties', cell: (row) => table(row.properties) },
  ],
});

async function close(ctx) {
  const sure = await confirm({ title: 'Close this connection?', body: `${ctx.params.name} is closed. Most clients connect again by themselves.`, action: 'Close connection' });
  if (!sure) return;
  try {
    await api.del(at(ctx.params));
    toast('The connection is closed');
    go('#/stream/connections');
  } catch (error) {
    toast(error.message, 'bad');
  }
}
