// Policies and operator policies.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as session from '../lib/session.js';
import { button, card, empty, head, table, tag, vhostLink } from '../parts/bits.js';
import { vhostField, vhostNames } from '../parts/add-queue.js';
import { confirm, formDialog } from '../parts/dialog.js';
import { APPLY_TO, OPERATOR_KEYS, POLICY_KEYS } from '../parts/hints.js';
import { matchWords } from '../parts/matches.js';
import { toObject, toRows } from '../parts/pairs.js';
import { localTable } from '../parts/table.js';
import { toast } from '../parts/toast.js';

const KINDS = {
  policies: {
    title: 'User policies', noun: 'policy', hints: POLICY_KEYS, may: 'policymaker', options: APPLY_TO,
    about: 'A policy gives settings to all queues and exchanges whose names match. Of several that match, the one with the highest priority acts.',
  },
  'operator-policies': {
    title: 'Operator policies', noun: 'operator policy', hints: OPERATOR_KEYS, may: 'administrator', options: APPLY_TO.filter(([id]) => !['all', 'exchanges'].includes(id)),
    about: 'An operator policy is laid over the policy: for limits the lower value acts, so it guards what users may set.',
  },
};

export default {
  title: () => 'Policies',
  async load(ctx, signal) {
    const [policies, operator] = await Promise.all(Object.keys(KINDS).map((kind) =>
      api.getOr([], ctx.vhost ? api.path(kind, ctx.vhost) : kind, { signal })));
    return { policies, 'operator-policies': operator };
  },
  view: (ctx) => [head({ title: 'Policies' }), ...Object.keys(KINDS).map((kind) => policyCard(ctx, kind))],
};

function policyCard(ctx, kind) {
  const { title, noun, about, may } = KINDS[kind];
  const allowed = session.may(may);
  return card({ title, flush: true, key: kind, actions: allowed && button(`Add ${noun}`, () => edit(ctx, kind), { tone: kind === 'policies' ? 'primary' : '', iconName: 'plus' }) },
    localTable(ctx, {
      id: kind,
      rows: ctx.data[kind],
      caption: title,
      rowKey: (policy) => `${policy.vhost}\n${policy.name}`,
      text: (policy) => `${policy.name} ${policy.pattern} ${policy.vhost}`,
      sort: { by: 'name', down: false },
      none: empty({ title: `No ${title.toLowerCase()}`, text: about, iconName: 'policies' }),
      columns: [
        { id: 'name', title: 'Name', sort: 'name', value: (policy) => policy.name, cell: (policy) => h('span', { class: 'break' }, policy.name) },
        { id: 'vhost', title: 'Vhost', sort: 'vhost', value: (policy) => policy.vhost, cell: (policy) => vhostLink(policy.vhost) },
        { id: 'pattern', title: 'Pattern', sort: 'pattern', value: (policy) => policy.pattern, cell: (policy) => h('span', { class: 'mono break' }, policy.pattern) },
        { id: 'apply', title: 'Applies to', sort: 'apply', value: (policy) => policy['apply-to'], cell: (policy) => tag(String(policy['apply-to'] ?? '').replace('_', ' ')) },
        { id: 'definition', title: 'Definition', class: 'wide', cell: (policy) => table(policy.definition) },
        { id: 'priority', title: 'Priority', num: true, sort: 'priority', value: (policy) => policy.priority, cell: (policy) => String(policy.priority) },
        { id: 'actions', title: '', class: 'actions', cell: (policy) => allowed && [
          button('Edit', () => edit(ctx, kind, policy), { tone: 'small' }), ' ', button('Delete', () => remove(ctx, kind, policy), { tone: 'small danger' })] },
      ],
    }));
}

async function edit(ctx, kind, policy) {
  const { noun, hints, options } = KINDS[kind];
  const names = await vhostNames();
  const matches = matchWords();
  return formDialog({
    title: policy ? `Edit ${policy.name}` : `Add ${noun === 'policy' ? 'a' : 'an'} ${noun}`,
    wide: true,
    action: policy ? 'Save' : `Add ${noun}`,
    values: policy
      ? { ...policy, applyTo: policy['apply-to'], priority: String(policy.priority), definition: toRows(policy.definition) }
      : { vhost: ctx.vhost || (names.includes('/') ? '/' : names[0]), applyTo: options[0][0], priority: '0' },
    fields: (values, redraw) => [
      !policy && { name: 'name', label: 'Name', required: true },
      !policy && vhostField(names),
      { name: 'pattern', label: 'Pattern', required: true, placeholder: '^orders\\.', hint: matches(values, redraw), live: true },
      { name: 'applyTo', label: 'Applies to', type: 'select', options },
      { name: 'priority', label: 'Priority', type: 'number', hint: 'The highest that matches acts.' },
      { name: 'definition', label: 'Definition', type: 'pairs', hints },
    ],
    async submit(values) {
      await api.put(api.path(kind, values.vhost, values.name), {
        pattern: values.pattern, 'apply-to': values.applyTo, priority: Number(values.priority) || 0, definition: toObject(values.definition),
      });
      toast(`Policy ${values.name} is in force`);
      ctx.refresh();
    },
  });
}

async function remove(ctx, kind, policy) {
  const sure = await confirm({
    title: `Delete ${KINDS[kind].noun} ${policy.name}?`,
    body: h('p', {}, 'What matches ', h('span', { class: 'mono' }, policy.pattern), ` in ${policy.vhost} loses these settings at once.`),
    action: 'Delete',
  });
  if (!sure) return;
  try {
    await api.del(api.path(kind, policy.vhost, policy.name));
    toast(`${policy.name} is deleted`);
  } catch (error) {
    toast(error.message, 'bad');
  }
  ctx.refresh();
}
