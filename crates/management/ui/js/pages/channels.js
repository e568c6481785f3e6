// All channels.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { channelLink, empty, state, tag } from '../parts/bits.js';
import { countColumn, nodeColumn, rateColumn, userColumn, vhostColumn } from '../parts/columns.js';
import { listPage } from '../parts/list.js';

export default listPage({
  id: 'channels',
  title: 'Channels',
  noun: ['channel', 'channels'],
  where: (ctx) => (ctx.vhost ? api.path('vhosts', ctx.vhost, 'channels') : 'channels'),
  always: ['name', 'confirm', 'transactional'],
  rowKey: (row) => row.name,
  sort: { by: 'name', down: false },
  blank: () => empty({ title: 'No channels', text: 'No client has a channel open now.', iconName: 'channels' }),
  columns: [
    { id: 'name', title: 'Channel', sort: 'name', fixed: true, cell: (row) => channelLink(row.name) },
    vhostColumn,
    userColumn,
    { id: 'mode', title: 'Mode', inline: true, cell: (row) => h('span', { class: 'tags' }, row.confirm && tag('C', 'Publisher confirms'), row.transactional && tag('T', 'Transactions'), !row.confirm && !row.transactional && h('span', { class: 'muted' }, format.NONE)) },
    { id: 'state', title: 'State', inline: true, sort: 'state', needs: ['state', 'idle_since'], cell: (row) => state(row.state === 'running' && row.idle_since ? 'idle' : row.state) },
    countColumn('messages_unconfirmed', 'Unconfirmed'),
    countColumn('prefetch_count', 'Prefetch'),
    countColumn('messages_unacknowledged', 'Unacked'),
    rateColumn('publish', 'Publish', 'publish'),
    rateColumn('confirm', 'Confirm', 'confirm', true),
    rateColumn('drop', 'Unroutable', 'drop_unroutable', true),
    rateColumn('get', 'Deliver', 'deliver_get'),
    rateColumn('ack', 'Ack', 'ack'),
    countColumn('consumer_count', 'Consumers', true),
    countColumn('messages_uncommitted', 'Uncommitted', true),
    nodeColumn,
  ],
});
