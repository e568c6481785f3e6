// Permissions and topic permissions, of a user or of a vhost.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import { button, card, empty, exchangeLink, userLink, vhostLink } from './bits.js';
import { confirm, formDialog } from './dialog.js';
import { localTable } from './table.js';
import { toast } from './toast.js';

const pattern = (value) => (value === '' ? h('span', { class: 'muted' }, 'nothing') : h('span', { class: 'mono break' }, value));
const HINT = 'A regular expression for names; .* for all, empty for none.';

/** Two cards. `of` is `user` or `vhost`, `name` its name; `others` the names to choose from. */
export const permissionCards = (ctx, { of, name, permissions, topics, others }) => {
  const other = of === 'user' ? 'vhost' : 'user';
  const otherColumn = { id: other, title: other === 'user' ? 'User' : 'Virtual host', sort: other, value: (row) => row[other], cell: (row) => (other === 'user' ? userLink(row.user) : vhostLink(row.vhost)) };
  const otherField = { name: other, label: otherColumn.title, required: true, suggestions: others };
  return [
    card({ title: 'Permissions', flush: true, key: 'permissions', actions: button('Set permission', () => setPermission(ctx, of, name, otherField), { iconName: 'plus' }) },
      localTable(ctx, {
        id: `permissions.${of}`, rows: permissions, caption: 'Permissions', rowKey: (row) => row[other], text: (row) => row[other],
        none: empty({ title: 'No access', text: of === 'user' ? 'Without a permission this user cannot use any virtual host.' : 'Nobody may use this virtual host yet.', iconName: 'users' }),
        columns: [otherColumn, ...['configure', 'write', 'read'].map((kind) => ({ id: kind, title: kind[0].toUpperCase() + kind.slice(1), cell: (row) => pattern(row[kind]) })),
          { id: 'actions', title: '', class: 'actions', cell: (row) => [
            button('Edit', () => setPermission(ctx, of, name, otherField, row), { tone: 'small' }), ' ',
            button('Clear', () => clear(ctx, api.path('permissions', row.vhost, row.user), `Clear the permission of ${row.user} in ${row.vhost}?`), { tone: 'small' })] }],
      })),
    card({ title: 'Topic permissions', flush: true, key: 'topics', actions: button('Set topic permission', () => setTopic(ctx, of, name, otherField), { iconName: 'plus' }) },
      localTable(ctx, {
        id: `topics.${of}`, rows: topics, caption: 'Topic permissions', rowKey: (row) => `${row[other]}\n${row.exchange}`, text: (row) => `${row[other]} ${row.exchange}`,
        none: empty({ title: 'No topic permissions', text: 'Routing keys of topic exchanges are not restricted.' }),
        columns: [otherColumn, { id: 'exchange', title: 'Exchange', cell: (row) => exchangeLink(row.vhost, row.exchange) },
          { id: 'write', title: 'Write', cell: (row) => pattern(row.write) }, { id: 'read', title: 'Read', cell: (row) => pattern(row.read) },
          { id: 'actions', title: '', class: 'actions', cell: (row) => button('Clear', () => clear(ctx, api.path('topic-permissions', row.vhost, row.user, row.exchange), `Clear the topic permission of ${row.user} on ${row.exchange}?`), { tone: 'small' }) }],
      })),
  ];
};

const both = (of, name, values) => ({ user: of === 'user' ? name : values.user, vhost: of === 'vhost' ? name : values.vhost });

const setPermission = (ctx, of, name, otherField, row) => formDialog({
  title: row ? `Permission of ${row.user} in ${row.vhost}` : 'Set a permission',
  action: 'Set permission',
  values: row ? { ...row } : { configure: '.*', write: '.*', read: '.*' },
  fields: () => [
    !row && otherField,
    { name: 'configure', label: 'Configure', hint: 'Declare and delete.', wide: true },
    { name: 'write', label: 'Write', hint: 'Publish, bind to.', wide: true },
    { name: 'read', label: 'Read', hint: `Consume, get, purge, bind from. ${HINT}`, wide: true },
  ],
  async submit(values) {
    const { user, vhost } = both(of, name, values);
    await api.put(api.path('permissions', vhost, user), { configure: values.configure, write: values.write, read: values.read });
    toast(`Permission of ${user} in ${vhost} is set`);
    ctx.refresh();
  },
});

const setTopic = (ctx, of, name, otherField) => formDialog({
  title: 'Set a topic permission',
  action: 'Set topic permission',
  values: { exchange: 'amq.topic', write: '.*', read: '.*' },
  fields: () => [
    otherField,
    { name: 'exchange', label: 'Exchange', required: true },
    { name: 'write', label: 'Write', hint: 'Routing keys for publishing.', wide: true },
    { name: 'read', label: 'Read', hint: `Routing keys for binding. ${HINT}`, wide: true },
  ],
  async submit(values) {
    const { user, vhost } = both(of, name, values);
    await api.put(api.path('topic-permissions', vhost, user), { exchange: values.exchange, write: values.write, read: values.read });
    toast(`Topic permission of ${user} is set`);
    ctx.refresh();
  },
});

async function clear(ctx, where, title) {
  if (!await confirm({ title, body: 'Clients that are connected may lose access at once.', action: 'Clear' })) return;
  try {
    await api.del(where);
    toast('Cleared');
  } catch (error) {
    toast(error.message, 'bad');
  }
  ctx.refresh();
}
