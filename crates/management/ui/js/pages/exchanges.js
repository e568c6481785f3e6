// All exchanges.

import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { go, link } from '../lib/router.js';
import { button, empty, exchangeLink, tag } from '../parts/bits.js';
import { doToAll } from '../parts/bulk.js';
import { rateColumn, vhostColumn } from '../parts/columns.js';
import { exchangeMarks } from '../parts/features.js';
import { listPage } from '../parts/list.js';
import { addExchange } from '../parts/add-exchange.js';

const removeAll = (ctx, exchanges, done) => doToAll(ctx, exchanges, (row) => api.del(api.path('exchanges', row.vhost, row.name)), {
  title: `Delete ${format.plural(exchanges.length, 'exchange')}?`, text: 'They are deleted with their bindings. Publishers that name them get an error.',
  action: 'Delete exchanges', past: 'deleted', name: (row) => row.name, done,
});

export default listPage({
  id: 'exchanges',
  title: 'Exchanges',
  noun: ['exchange', 'exchanges'],
  where: (ctx) => (ctx.vhost ? api.path('exchanges', ctx.vhost) : 'exchanges'),
  always: ['name', 'vhost', 'type', 'durable', 'auto_delete', 'internal', 'arguments', 'policy'],
  rowKey: (row) => `${row.vhost}\n${row.name}`,
  sort: { by: 'name', down: false },
  bulk: { label: (row) => row.name, choosable: (row) => row.name !== '' && !row.name.startsWith('amq.'), actions: (ctx) => [{ label: 'Delete', danger: true, run: (rows, done) => removeAll(ctx, rows, done) }] },
  actions: (ctx) => button('Add exchange', () => addExchange(ctx, (vhost, name) => go(link('exchanges', vhost, name))), { tone: 'primary', iconName: 'plus' }),
  blank: () => empty({ title: 'No exchanges', iconName: 'exchanges' }),
  columns: [
    { id: 'name', title: 'Name', sort: 'name', fixed: true, cell: (row) => exchangeLink(row.vhost, row.name) },
    vhostColumn,
    { id: 'type', title: 'Type', inline: true, sort: 'type', cell: (row) => tag(row.type ?? format.NONE) },
    { id: 'features', title: 'Features', inline: true, sort: 'policy', cell: exchangeMarks },
    rateColumn('in', 'In', 'publish_in'),
    rateColumn('out', 'Out', 'publish_out'),
  ],
});
