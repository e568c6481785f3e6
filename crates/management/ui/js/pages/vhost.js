// One virtual host.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { setPref } from '../lib/prefs.js';
import { go } from '../lib/router.js';
import { button, card, facts, head, state, tag } from '../parts/bits.js';
import { dataChart, lengthsChart, ratesChart } from '../parts/charts.js';
import { rangeChoice, samplesFor } from '../parts/chart.js';
import { formDialog } from '../parts/dialog.js';
import { permissionCards } from '../parts/permissions.js';
import { toast } from '../parts/toast.js';
import { VHOST_FIELDS } from './vhosts.js';

export default {
  title: (ctx) => ctx.params.name,
  async load({ params }, signal) {
    const at = api.path('vhosts', params.name);
    const [vhost, permissions, topics, users] = await Promise.all([
      api.get(at + api.query(samplesFor(['lengths', 'msg_rates', 'data_rates'], true)), { signal }),
      api.get(`${at}/permissions`, { signal }), api.get(`${at}/topic-permissions`, { signal }), api.getOr([], 'users?columns=name', { signal }),
    ]);
    return { vhost, permissions, topics, users: (users.items ?? users).map((user) => user.name) };
  },
  view: (ctx) => {
    const { vhost, permissions, topics, users } = ctx.data;
    return [
      head({
        title: vhost.name,
        sub: vhost.description,
        tags: [vhost.protected_from_deletion && tag('protected', 'Protected from deletion', 'accent')],
        up: { href: '#/vhosts', label: 'Virtual hosts' },
        actions: [
          button('Its queues', () => {
            setPref('vhost', vhost.name);
            go('#/queues');
          }),
          button('Edit', () => edit(ctx, vhost)),
          button(vhost.protected_from_deletion ? 'Unprotect' : 'Protect', () => protect(ctx, vhost)),
          button('Delete', () => remove(vhost), { tone: 'danger', iconName: 'trash', disabled: vhost.protected_from_deletion, title: vhost.protected_from_deletion ? 'Protected from deletion' : undefined }),
        ],
      }),
      card({ title: 'Activity', actions: rangeChoice(ctx, true) },
        h('div', { class: 'charts three' }, lengthsChart(ctx, vhost, 'vhost.lengths'), ratesChart(ctx, vhost.message_stats, 'vhost.rates'), dataChart(ctx, vhost, 'vhost.data'))),
      card({ title: 'Details' }, facts([
        ['Default queue type', vhost.default_queue_type],
        ['Tags', vhost.tags?.length ? h('span', { class: 'tags' }, vhost.tags.map((one) => tag(one))) : null],
        ['Tracing', vhost.tracing ? 'on' : 'off'],
        ...Object.entries(vhost.cluster_state ?? {}).map(([node, word]) => [`On ${node}`, state(word)]),
        ['Messages', vhost.messages === undefined ? undefined : format.count(vhost.messages)],
      ])),
      permissionCards(ctx, { of: 'vhost', name: vhost.name, permissions, topics, others: users }),
    ];
  },
};

const edit = (ctx, vhost) => formDialog({
  title: `Edit ${vhost.name}`,
  values: { description: vhost.description ?? '', tags: (vhost.tags ?? []).join(','), default_queue_type: vhost.default_queue_type ?? 'classic', tracing: vhost.tracing },
  fields: () => [...VHOST_FIELDS, { name: 'tracing', label: 'Trace messages', type: 'check', hint: 'Copies of all messages go to amq.rabbitmq.trace. Costs speed.' }],
  async submit(values) {
    await api.put(api.path('vhosts', vhost.name), values);
    toast(`${vhost.name} is saved`);
    ctx.refresh();
  },
});

async function protect(ctx, vhost) {
  try {
    const where = `${api.path('vhosts', vhost.name)}/deletion/protection`;
    await (vhost.protected_from_deletion ? api.del(where) : api.post(where));
    toast(vhost.protected_from_deletion ? `${vhost.name} can be deleted now` : `${vhost.name} is protected from deletion`);
  } catch (error) {
    toast(error.message, 'bad');
  }
  ctx.refresh();
}

const remove = (vhost) => formDialog({
  title: `Delete ${vhost.name}?`,
  intro: [`Virtual host ${vhost.name} is deleted with all its queues, exchanges, policies and permissions, and ${format.plural(vhost.messages ?? 0, 'message')}. Its connections are closed. This cannot be undone.`],
  action: 'Delete virtual host',
  danger: true,
  fields: () => [{ name: 'name', label: 'Type its name to go on', required: true, wide: true }],
  async submit({ name }) {
    if (name !== vhost.name) throw new Error('That is not its name.');
    await api.del(api.path('vhosts', vhost.name));
    toast(`${vhost.name} is deleted`);
    go('#/vhosts');
  },
});
