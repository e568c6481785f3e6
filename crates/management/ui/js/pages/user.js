// One user.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as session from '../lib/session.js';
import { go } from '../lib/router.js';
import { button, card, facts, head, table, tag } from '../parts/bits.js';
import { vhostNames } from '../parts/add-queue.js';
import { confirm, formDialog } from '../parts/dialog.js';
import { permissionCards } from '../parts/permissions.js';
import { toast } from '../parts/toast.js';
import { TAG_FIELD, credentials } from './users.js';

export default {
  title: (ctx) => ctx.params.name,
  async load({ params }, signal) {
    const at = api.path('users', params.name);
    const [user, permissions, topics, vhosts] = await Promise.all([
      api.get(at, { signal }), api.get(`${at}/permissions`, { signal }), api.get(`${at}/topic-permissions`, { signal }), vhostNames(),
    ]);
    return { user, permissions, topics, vhosts };
  },
  view: (ctx) => {
    const { user, permissions, topics, vhosts } = ctx.data;
    return [
      head({
        title: user.name,
        up: { href: '#/users', label: 'Users' },
        actions: [
          button('Edit', () => edit(ctx, user)),
          button('Close connections', () => closeAll(user)),
          user.name !== session.userName() && button('Delete', () => remove(user), { tone: 'danger', iconName: 'trash' }),
        ],
      }),
      card({ title: 'Details' }, facts([
        ['Tags', user.tags.length ? h('span', { class: 'tags' }, user.tags.map((one) => tag(one))) : null],
        ['Logs in with a password', user.password_hash ? 'yes' : 'no'],
        ['Limits', table(user.limits)],
        ['Hashed by', user.hashing_algorithm],
      ])),
      permissionCards(ctx, { of: 'user', name: user.name, permissions, topics, others: vhosts }),
    ];
  },
};

const edit = (ctx, user) => formDialog({
  title: `Edit ${user.name}`,
  values: { login: 'keep', tags: user.tags.join(',') },
  fields: (values) => [
    { name: 'login', label: 'Password', type: 'select', options: [['keep', 'As it is'], ['password', 'A new one'], ['none', 'None: cannot log in with a password']] },
    values.login === 'password' && { name: 'password', label: 'New password', type: 'password', required: true },
    values.login === 'password' && { name: 'again', label: 'New password, again', type: 'password', required: true },
    TAG_FIELD,
  ],
  async submit(values) {
    const how = values.login === 'keep' ? { password_hash: user.password_hash, hashing_algorithm: user.hashing_algorithm } : credentials(values);
    await api.put(api.path('users', user.name), { tags: values.tags, ...how });
    if (user.name === session.userName() && values.login === 'password') await api.login(user.name, values.password, Boolean(session.current().until));
    toast(`${user.name} is saved`);
    ctx.refresh();
  },
});

async function remove(user) {
  const sure = await confirm({ title: `Delete ${user.name}?`, body: h('p', {}, 'User ', h('strong', {}, user.name), ' and its permissions are deleted. Its connections are closed.'), action: 'Delete user' });
  if (!sure) return;
  try {
    await api.del(api.path('users', user.name));
    toast(`${user.name} is deleted`);
    go('#/users');
  } catch (error) {
    toast(error.message, 'bad');
  }
}

async function closeAll(user) {
  const sure = await confirm({ title: `Close all connections of ${user.name}?`, body: 'Most clients connect again by themselves.', action: 'Close connections' });
  if (!sure) return;
  try {
    await api.del(api.path('connections', 'username', user.name));
    toast(`The connections of ${user.name} are closed`);
  } catch (error) {
    toast(error.message, 'bad');
  }
}
