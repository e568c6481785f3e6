// All queues and streams.

import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { go, link } from '../lib/router.js';
import { button, empty, queueLink, state, tag } from '../parts/bits.js';
import { countColumn, nodeColumn, rateColumn, vhostColumn } from '../parts/columns.js';
import { queueMarks } from '../parts/features.js';
import { listPage } from '../parts/list.js';
import { addQueue } from '../parts/add-queue.js';
import { bulkActions } from '../parts/queue-actions.js';

const declare = (ctx) => button('Add queue', () => addQueue(ctx, (vhost, name) => go(link('queues', vhost, name))), { tone: 'primary', iconName: 'plus' });

export default listPage({
  id: 'queues',
  title: 'Queues and streams',
  noun: ['queue', 'queues'],
  where: (ctx) => (ctx.vhost ? api.path('queues', ctx.vhost) : 'queues'),
  always: ['name', 'vhost', 'type', 'durable', 'auto_delete', 'exclusive', 'arguments', 'policy', 'operator_policy', 'messages_ready'],
  rowKey: (queue) => `${queue.vhost}\n${queue.name}`,
  sort: { by: 'name', down: false },
  actions: declare,
  bulk: { label: (queue) => queue.name, actions: bulkActions },
  blank: (ctx) => empty({
    title: ctx.vhost ? 'No queues in this virtual host' : 'No queues yet',
    text: 'Queues appear here as soon as an application declares one. You can also declare one yourself.',
    iconName: 'queues',
    action: declare(ctx),
  }),
  columns: [
    { id: 'name', title: 'Name', sort: 'name', fixed: true, cell: (queue) => queueLink(queue.vhost, queue.name) },
    vhostColumn,
    { id: 'type', title: 'Type', inline: true, sort: 'type', cell: (queue) => tag(queue.type ?? format.NONE) },
    { id: 'features', title: 'Features', sort: 'policy', inline: true, cell: queueMarks },
    { id: 'state', title: 'State', inline: true, sort: 'state', needs: ['state', 'idle_since'], cell: (queue) => state(queue.state === 'running' && queue.idle_since ? 'idle' : queue.state) },
    countColumn('messages_ready', 'Ready'),
    countColumn('messages_unacknowledged', 'Unacked'),
    countColumn('messages', 'Total'),
    rateColumn('in', 'In', 'publish'),
    rateColumn('out', 'Out', 'deliver_get'),
    rateColumn('ack', 'Ack', 'ack'),
    rateColumn('redeliver', 'Redelivered', 'redeliver', true),
    countColumn('consumers', 'Consumers', true),
    { id: 'capacity', title: 'Consumer capacity', num: true, hidden: true, sort: 'consumer_capacity', needs: ['consumer_capacity'], cell: (queue) => format.percent(queue.consumer_capacity) },
    countColumn('message_bytes', 'Body bytes', true, format.bytes),
    countColumn('messages_persistent', 'Persistent', true),
    countColumn('messages_ram', 'In memory', true),
    countColumn('memory', 'Memory', true, format.bytes),
    nodeColumn,
  ],
});
