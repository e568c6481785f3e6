// All client connections.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { connectionLink, empty, state, tag, time } from '../parts/bits.js';
import { doToAll } from '../parts/bulk.js';
import { byteRateColumn, countColumn, nodeColumn, tlsColumn, userColumn, vhostColumn } from '../parts/columns.js';
import { listPage } from '../parts/list.js';
import { addresses } from '../parts/start.js';

const client = (row) => [row.client_properties?.product, row.client_properties?.version].filter(Boolean).join(' ');

const REASON = 'Closed via management plugin';

const close = (ctx, connections, done) => doToAll(ctx, connections, (row) => api.del(api.path('connections', row.name), { headers: { 'x-reason': REASON } }), {
  title: `Close ${format.plural(connections.length, 'connection')}?`, text: 'Most clients connect again by themselves.',
  action: 'Close connections', past: 'closed', name: (row) => row.user_provided_name || row.name, done,
});

export default listPage({
  id: 'connections',
  title: 'Connections',
  noun: ['connection', 'connections'],
  where: (ctx) => (ctx.vhost ? api.path('vhosts', ctx.vhost, 'connections') : 'connections'),
  always: ['name', 'user_provided_name'],
  rowKey: (row) => row.name,
  sort: { by: 'name', down: false },
  bulk: { label: (row) => row.user_provided_name || row.name, actions: (ctx) => [{ label: 'Close', danger: true, run: (rows, done) => close(ctx, rows, done) }] },
  blank: (ctx) => empty({ title: 'No connections', text: 'No client is connected now. This is where one connects to:', iconName: 'connections', action: addresses(ctx.around.overview) }),
  columns: [
    { id: 'name', title: 'Name', sort: 'name', fixed: true, cell: (row) => h('span', {}, connectionLink(row.name, row.user_provided_name || row.name), row.user_provided_name && h('span', { class: 'sub' }, row.name)) },
    vhostColumn,
    userColumn,
    { id: 'state', title: 'State', inline: true, sort: 'state', needs: ['state'], cell: (row) => state(row.state) },
    tlsColumn,
    { id: 'protocol', title: 'Protocol', inline: true, sort: 'protocol', needs: ['protocol'], cell: (row) => tag(row.protocol ?? format.NONE) },
    countColumn('channels', 'Channels'),
    byteRateColumn('recv', 'From client', 'recv_oct'),
    byteRateColumn('send', 'To client', 'send_oct'),
    { id: 'client', title: 'Client', hidden: true, needs: ['client_properties'], cell: client },
    { id: 'container', title: 'Container id', hidden: true, sort: 'container_id', needs: ['container_id'], cell: (row) => row.container_id ?? format.NONE },
    { id: 'heartbeat', title: 'Heartbeat', num: true, hidden: true, sort: 'timeout', needs: ['timeout'], cell: (row) => (row.timeout ? `${row.timeout} s` : format.NONE) },
    { id: 'since', title: 'Connected', hidden: true, sort: 'connected_at', needs: ['connected_at'], cell: (row) => time(row.connected_at) },
    nodeColumn,
  ],
});
