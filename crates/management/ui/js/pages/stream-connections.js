// Connections of the stream protocol.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import { link } from '../lib/router.js';
import { empty, state } from '../parts/bits.js';
import { byteRateColumn, nodeColumn, tlsColumn, userColumn, vhostColumn } from '../parts/columns.js';
import { listPage } from '../parts/list.js';

export default listPage({
  id: 'stream-connections',
  title: 'Stream connections',
  noun: ['stream connection', 'stream connections'],
  where: (ctx) => (ctx.vhost ? api.path('stream', 'connections', ctx.vhost) : 'stream/connections'),
  rowKey: (row) => row.name,
  sort: { by: 'name', down: false },
  blank: () => empty({ title: 'No stream connections', text: 'No client speaks the stream protocol with this broker now.', iconName: 'streams' }),
  columns: [
    { id: 'name', title: 'Name', sort: 'name', fixed: true, cell: (row) => h('span', {}, h('a', { href: link('stream', 'connections', row.vhost, row.name), class: 'break' }, row.user_provided_name || row.name), row.user_provided_name && h('span', { class: 'sub' }, row.name)) },
    vhostColumn,
    userColumn,
    { id: 'state', title: 'State', inline: true, sort: 'state', cell: (row) => state(row.state) },
    tlsColumn,
    byteRateColumn('recv', 'From client', 'recv_oct'),
    byteRateColumn('send', 'To client', 'send_oct'),
    nodeColumn,
  ],
});
