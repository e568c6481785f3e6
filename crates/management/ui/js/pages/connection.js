// One client connection.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { go } from '../lib/router.js';
import { button, card, channelLink, empty, facts, head, state, table, tag, time, userLink, vhostLink } from '../parts/bits.js';
import { dataChart } from '../parts/charts.js';
import { rangeChoice, samplesFor } from '../parts/chart.js';
import { formDialog } from '../parts/dialog.js';
import { dataTable } from '../parts/table.js';
import { toast } from '../parts/toast.js';

export default {
  title: (ctx) => ctx.params.name,
  async load({ params }, signal) {
    const at = api.path('connections', params.name);
    const connection = await api.get(at + api.query(samplesFor(['data_rates'], true)), { signal });
    const sessions = connection.protocol?.startsWith('AMQP 1');
    const inside = await api.getOr([], `${at}/${sessions ? 'sessions' : 'channels'}`, { signal }).catch(() => []);
    return { connection, inside, sessions };
  },
  view: (ctx) => {
    const { connection, inside, sessions } = ctx.data;
    return [
      head({
        title: connection.user_provided_name || connection.name,
        copy: connection.name,
        sub: connection.user_provided_name ? connection.name : null,
        tags: connection.protocol && [tag(connection.protocol, 'Protocol', 'accent')],
        up: { href: '#/connections', label: 'Connections' },
        actions: button('Close connection', () => close(connection), { tone: 'danger' }),
      }),
      card({ title: 'Activity', actions: rangeChoice(ctx, true) }, h('div', { class: 'charts' }, dataChart(ctx, connection, 'connection.data'))),
      card({ title: 'Details' }, details(connection)),
      sessions
        ? card({ title: 'Sessions', flush: true }, sessionTable(inside))
        : card({ title: 'Channels', flush: true }, channelTable(inside)),
      card({ title: 'Client' }, facts(Object.entries(connection.client_properties ?? {}).map(([name, value]) => [name, typeof value === 'object' ? capabilities(value) : format.value(value)]))),
    ];
  },
};

const capabilities = (value) => (Object.values(value).every((one) => one === true)
  ? h('span', { class: 'tags' }, Object.keys(value).map((name) => tag(name))) : table(value));

const details = (connection) => facts([
  ['State', state(connection.state)],
  ['User', userLink(connection.user)],
  ['Virtual host', connection.vhost && vhostLink(connection.vhost)],
  ['Connected', time(connection.connected_at)],
  ['Peer', connection.peer_host && `${connection.peer_host}:${connection.peer_port}`],
  ['Node', connection.node],
  ['Login', connection.auth_mechanism],
  ['TLS', connection.ssl ? [connection.ssl_protocol, connection.ssl_cipher].filter(Boolean).join(', ') || 'yes' : 'no'],
  connection.peer_cert_subject && ['Client certificate', connection.peer_cert_subject],
  ['Heartbeat', connection.timeout ? `${connection.timeout} s` : 'off'],
  ['Largest frame', connection.frame_max === undefined ? undefined : format.bytes(connection.frame_max)],
  ['Channel limit', connection.channel_max === undefined ? undefined : connection.channel_max === 0 ? 'no limit' : format.count(connection.channel_max)],
  ['Received', connection.recv_oct === undefined ? undefined : format.bytes(connection.recv_oct)],
  ['Sent', connection.send_oct === undefined ? undefined : format.bytes(connection.send_oct)],
]);

const channelTable = (channels) => dataTable({
  caption: 'Channels',
  rows: channels,
  rowKey: (row) => row.name,
  none: empty({ title: 'No channels', text: 'This connection has no channel open.', iconName: 'channels' }),
  columns: [
    { id: 'name', title: 'Channel', cell: (row) => channelLink(row.name, `Channel ${row.number}`) },
    { id: 'state', title: 'State', cell: (row) => state(row.state) },
    { id: 'mode', title: 'Mode', cell: (row) => h('span', { class: 'tags' }, row.confirm && tag('confirm'), row.transactional && tag('tx')) },
    { id: 'consumers', title: 'Consumers', num: true, cell: (row) => format.count(row.consumer_count) },
    { id: 'prefetch', title: 'Prefetch', num: true, cell: (row) => format.count(row.prefetch_count) },
    { id: 'unacked', title: 'Unacked', num: true, cell: (row) => format.count(row.messages_unacknowledged) },
    { id: 'unconfirmed', title: 'Unconfirmed', num: true, cell: (row) => format.count(row.messages_unconfirmed) },
  ],
});

const sessionTable = (sessions) => dataTable({
  caption: 'Sessions',
  rows: sessions,
  rowKey: (row) => row.channel_number,
  none: empty({ title: 'No sessions', text: 'This connection has no session open.', iconName: 'channels' }),
  columns: [
    { id: 'number', title: 'Session', cell: (row) => `Session ${row.channel_number}` },
    { id: 'in', title: 'Incoming links', num: true, cell: (row) => format.count(row.incoming_links?.length) },
    { id: 'out', title: 'Outgoing links', num: true, cell: (row) => format.count(row.outgoing_links?.length) },
    { id: 'unsettled', title: 'Unsettled', num: true, cell: (row) => format.count(row.outgoing_unsettled_deliveries) },
  ],
});

const close = (connection) => formDialog({
  title: 'Close this connection?',
  intro: `${connection.user_provided_name || connection.name} of user ${connection.user} is closed. Most clients connect again by themselves.`,
  action: 'Close connection',
  danger: true,
  fields: () => [{ name: 'reason', label: 'Reason', wide: true, hint: 'The client is told this.', value: 'Closed via management plugin' }],
  async submit({ reason }) {
    await api.del(api.path('connections', connection.name), { headers: { 'x-reason': reason } });
    toast('The connection is closed');
    go('#/connections');
  },
});
