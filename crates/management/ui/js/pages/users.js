// Who may log in.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import { go, link } from '../lib/router.js';
import { button, empty, tag, userLink, yesNo } from '../parts/bits.js';
import { formDialog } from '../parts/dialog.js';
import { listPage } from '../parts/list.js';
import { toast } from '../parts/toast.js';

export const TAGS = ['administrator', 'monitoring', 'policymaker', 'management', 'impersonator'];

export const TAG_FIELD = {
  name: 'tags', label: 'Tags', placeholder: 'management', wide: true, suggestions: TAGS,
  hint: 'administrator: everything; monitoring: all statistics; policymaker: policies of its vhosts; management: its own things; none: no access to these pages. Several are separated by commas.',
};

export default listPage({
  id: 'users',
  title: 'Users',
  noun: ['user', 'users'],
  where: () => 'users',
  rowKey: (user) => user.name,
  sort: { by: 'name', down: false },
  async complete(users) {
    const permissions = await api.getOr([], 'permissions');
    const vhosts = Map.groupBy(permissions, (permission) => permission.user);
    for (const user of users) user.vhosts = (vhosts.get(user.name) ?? []).map((permission) => permission.vhost);
  },
  actions: (ctx) => button('Add user', () => addUser(ctx), { tone: 'primary', iconName: 'plus' }),
  blank: () => empty({ title: 'No users', iconName: 'users' }),
  columns: [
    { id: 'name', title: 'Name', sort: 'name', fixed: true, cell: (user) => userLink(user.name) },
    { id: 'tags', title: 'Tags', sort: 'tags', cell: (user) => h('span', { class: 'tags' }, user.tags.map((one) => tag(one, '', one === 'administrator' ? 'accent' : ''))) },
    { id: 'vhosts', title: 'Can access', cell: (user) => (user.vhosts.length ? user.vhosts.join(', ') : tag('no access', 'No permission in any virtual host', 'warn')) },
    { id: 'password', title: 'Password', cell: (user) => yesNo(user.password_hash) },
  ],
});

const addUser = (ctx) => formDialog({
  title: 'Add a user',
  action: 'Add user',
  values: { login: 'password' },
  fields: (values) => [
    { name: 'name', label: 'Name', required: true },
    { name: 'login', label: 'Logs in with', type: 'select', options: [['password', 'A password'], ['hash', 'A password, given as hash'], ['none', 'No password (certificates only)']] },
    values.login === 'password' && { name: 'password', label: 'Password', type: 'password', required: true },
    values.login === 'password' && { name: 'again', label: 'Password, again', type: 'password', required: true },
    values.login === 'hash' && { name: 'hash', label: 'Password hash', required: true, wide: true },
    TAG_FIELD,
  ],
  async submit(values) {
    await api.put(api.path('users', values.name), { tags: values.tags, ...credentials(values) });
    toast(`User ${values.name} is there. Give it permissions next.`);
    go(link('users', values.name));
    ctx.refresh();
  },
});

/** The part of a user's definition that says how it logs in. */
export function credentials(values) {
  if (values.login === 'none') return { password_hash: '' };
  if (values.login === 'hash') return { password_hash: values.hash };
  if (values.password !== values.again) throw new Error('The two passwords differ.');
  return { password: values.password };
}
