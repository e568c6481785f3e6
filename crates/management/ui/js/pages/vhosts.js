// All virtual hosts.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { go, link } from '../lib/router.js';
import { button, card, empty, head, state, tag, vhostLink } from '../parts/bits.js';
import { formDialog } from '../parts/dialog.js';
import { localTable } from '../parts/table.js';
import { toast } from '../parts/toast.js';

export const clusterState = (vhost) => {
  const states = Object.values(vhost.cluster_state ?? {});
  return states.find((one) => one !== 'running') ?? states[0];
};

const rate = (key) => (vhost) => vhost.message_stats?.[`${key}_details`]?.rate;
const byRate = (id, title, key) => ({ id, title, num: true, sort: id, value: (vhost) => rate(key)(vhost) ?? -1, cell: (vhost) => format.rate(rate(key)(vhost)) });
const number = (key, title) => ({ id: key, title, num: true, sort: key, value: (vhost) => vhost[key] ?? -1, cell: (vhost) => format.count(vhost[key]) });

export default {
  title: () => 'Virtual hosts',
  load: async (ctx, signal) => ({ vhosts: await api.get('vhosts', { signal }) }),
  view: (ctx) => [
    head({ title: 'Virtual hosts', actions: button('Add virtual host', () => addVhost(ctx), { tone: 'primary', iconName: 'plus' }) }),
    card({ flush: true }, localTable(ctx, {
      id: 'vhosts',
      rows: ctx.data.vhosts,
      caption: 'Virtual hosts',
      rowKey: (vhost) => vhost.name,
      text: (vhost) => `${vhost.name} ${vhost.description ?? ''} ${(vhost.tags ?? []).join(' ')}`,
      sort: { by: 'name', down: false },
      none: empty({ title: 'No virtual hosts', iconName: 'vhosts' }),
      columns: [
        { id: 'name', title: 'Name', sort: 'name', value: (vhost) => vhost.name, cell: (vhost) => h('span', {}, vhostLink(vhost.name), vhost.description && h('span', { class: 'sub break' }, vhost.description)) },
        { id: 'tags', title: 'Tags', cell: (vhost) => h('span', { class: 'tags' }, (vhost.tags ?? []).map((one) => tag(one)), vhost.protected_from_deletion && tag('protected', 'Protected from deletion', 'accent'), vhost.tracing && tag('tracing', 'Messages are traced', 'warn')) },
        { id: 'type', title: 'Queues are', cell: (vhost) => tag(vhost.default_queue_type ?? 'classic', 'Default queue type') },
        { id: 'state', title: 'State', cell: (vhost) => state(clusterState(vhost)) },
        number('messages_ready', 'Ready'), number('messages_unacknowledged', 'Unacked'), number('messages', 'Total'),
        byRate('publish', 'Publish', 'publish'), byRate('deliver', 'Deliver', 'deliver_get'),
      ],
    })),
  ],
};

export const VHOST_FIELDS = [
  { name: 'description', label: 'Description', wide: true },
  { name: 'tags', label: 'Tags', hint: 'Separated by commas.' },
  { name: 'default_queue_type', label: 'Queues are, unless they say otherwise', type: 'select', options: [['classic', 'Classic'], ['quorum', 'Quorum'], ['stream', 'Streams']] },
];

const addVhost = (ctx) => formDialog({
  title: 'Add a virtual host',
  action: 'Add virtual host',
  fields: () => [{ name: 'name', label: 'Name', required: true, wide: true }, ...VHOST_FIELDS],
  async submit({ name, ...rest }) {
    await api.put(api.path('vhosts', name), rest);
    toast(`Virtual host ${name} is there`);
    ctx.refresh();
    go(link('vhosts', name));
  },
});
