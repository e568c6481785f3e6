// Limits of virtual hosts and users.

import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { button, card, empty, head, userLink, vhostLink } from '../parts/bits.js';
import { vhostNames } from '../parts/add-queue.js';
import { formDialog } from '../parts/dialog.js';
import { localTable } from '../parts/table.js';
import { toast } from '../parts/toast.js';

const KINDS = {
  vhost: { title: 'Virtual hosts', path: 'vhost-limits', names: [['max-connections', 'Connections'], ['max-queues', 'Queues']], link: vhostLink, label: 'Virtual host' },
  user: { title: 'Users', path: 'user-limits', names: [['max-connections', 'Connections'], ['max-channels', 'Channels']], link: userLink, label: 'User' },
};

export default {
  title: () => 'Limits',
  async load(ctx, signal) {
    const [vhost, user] = await Promise.all([api.get('vhost-limits', { signal }), api.get('user-limits', { signal })]);
    return { vhost, user };
  },
  view: (ctx) => [head({ title: 'Limits', sub: 'A limit of 0 allows none, -1 any number.' }), ...Object.keys(KINDS).map((kind) => limitCard(ctx, kind))],
};

function limitCard(ctx, kind) {
  const { title, names, link } = KINDS[kind];
  return card({ title, flush: true, key: kind, actions: button('Set limit', () => set(ctx, kind), { iconName: 'plus' }) },
    localTable(ctx, {
      id: `limits.${kind}`,
      rows: rows(ctx.data[kind], kind),
      caption: `Limits of ${title.toLowerCase()}`,
      rowKey: (row) => `${row.name}\n${row.limit}`,
      text: (row) => `${row.name} ${row.limit}`,
      none: empty({ title: 'No limits', text: `${title} may use as much as the node has.`, iconName: 'limits' }),
      columns: [
        { id: 'name', title: KINDS[kind].label, sort: 'name', value: (row) => row.name, cell: (row) => link(row.name) },
        { id: 'limit', title: 'Limits', sort: 'limit', value: (row) => row.limit, cell: (row) => names.find(([id]) => id === row.limit)?.[1] ?? row.limit },
        { id: 'value', title: 'To', num: true, sort: 'value', value: (row) => row.value, cell: (row) => (row.value < 0 ? 'any number' : format.count(row.value)) },
        { id: 'actions', title: '', class: 'actions', cell: (row) => [button('Change', () => set(ctx, kind, row), { tone: 'small' }), ' ', button('Clear', () => clear(ctx, kind, row), { tone: 'small' })] },
      ],
    }));
}

const rows = (limits, kind) => limits.flatMap((one) => Object.entries(one.value).map(([limit, value]) => ({ name: one[kind], limit, value })));

async function set(ctx, kind, row) {
  const { label, names, path } = KINDS[kind];
  const known = kind === 'vhost' ? await vhostNames() : (await api.getOr([], 'users?columns=name')).map((user) => user.name);
  return formDialog({
    title: row ? `Limit of ${row.name}` : 'Set a limit',
    action: 'Set limit',
    values: row ? { ...row, value: String(row.value) } : {},
    fields: () => [
      !row && { name: 'name', label, type: 'select', options: known, value: known[0] },
      !row && { name: 'limit', label: 'Limits', type: 'select', options: names, value: names[0][0] },
      { name: 'value', label: 'To', type: 'number', min: -1, required: true, hint: '0 allows none, -1 any number.' },
    ],
    async submit(values) {
      await api.put(api.path(path, values.name, values.limit), { value: Number(values.value) });
      toast(`Limit of ${values.name} is set`);
      ctx.refresh();
    },
  });
}

async function clear(ctx, kind, row) {
  try {
    await api.del(api.path(KINDS[kind].path, row.name, row.limit));
    toast(`Limit of ${row.name} is cleared`);
  } catch (error) {
    toast(error.message, 'bad');
  }
  ctx.refresh();
}
