// All exchanges.

import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { go, link } from '../lib/router.js';
import { button, empty, exchangeLink, tag } from '../parts/bits.js';
import { rateColumn, vhostColumn } from '../parts/columns.js';
import { exchangeMarks } from '../parts/features.js';
import { listPage } from '../parts/list.js';
import { addExchange } from '../parts/add-exchange.js';

export default listPage({
  id: 'exchanges',
  title: 'Exchanges',
  noun: ['exchange', 'exchanges'],
  where: (ctx) => (ctx.vhost ? api.path('exchanges', ctx.vhost) : 'exchanges'),
  always: ['name', 'vhost', 'type', 'durable', 'auto_delete', 'internal', 'arguments', 'policy'],
  rowKey: (row) => `${row.vhost}\n${row.name}`,
  sort: { by: 'name', down: false },
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
