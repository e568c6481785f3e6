// Feature flags.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import { button, card, empty, head, tag } from '../parts/bits.js';
import { confirm } from '../parts/dialog.js';
import { localTable } from '../parts/table.js';
import { toast } from '../parts/toast.js';

const TONES = { enabled: 'good', disabled: '', unavailable: 'warn', state_changing: 'warn' };

export default {
  title: () => 'Feature flags',
  load: async (ctx, signal) => ({ flags: await api.get('feature-flags', { signal }) }),
  view: (ctx) => {
    const state = ctx.keep('flags', () => ({ all: false }));
    const flags = ctx.data.flags.filter((flag) => state.all || flag.stability !== 'required' || flag.state !== 'enabled');
    const disabled = ctx.data.flags.filter((flag) => flag.state === 'disabled' && flag.stability === 'stable');
    return [
      head({ title: 'Feature flags', actions: disabled.length > 0 && button('Enable all stable', () => enable(ctx, disabled), { tone: 'primary' }) }),
      card({ flush: true }, localTable(ctx, {
        id: 'feature-flags',
        rows: flags,
        caption: 'Feature flags',
        rowKey: (flag) => flag.name,
        text: (flag) => `${flag.name} ${flag.desc}`,
        sort: { by: 'name', down: false },
        actions: h('label', { class: 'field check push' }, h('input', { type: 'checkbox', checked: state.all, onchange: (event) => {
          state.all = event.target.checked;
          ctx.redraw();
        } }), h('span', {}, 'With those that are always on')),
        none: empty({ title: 'Nothing to choose', text: 'All feature flags of this version are always on.', iconName: 'flags' }),
        columns: [
          { id: 'name', title: 'Name', sort: 'name', value: (flag) => flag.name, cell: (flag) => h('span', {}, h('span', { class: 'mono break' }, flag.name), h('span', { class: 'sub' }, flag.desc)) },
          { id: 'stability', title: 'Stability', sort: 'stability', value: (flag) => flag.stability, cell: (flag) => tag(flag.stability, '', flag.stability === 'experimental' ? 'warn' : '') },
          { id: 'state', title: 'State', sort: 'state', value: (flag) => flag.state, cell: (flag) => tag(flag.state, '', TONES[flag.state]) },
          { id: 'actions', title: '', class: 'actions', cell: (flag) => flag.state === 'disabled' && button('Enable', () => enable(ctx, [flag]), { tone: 'small' }) },
        ],
      })),
    ];
  },
};

async function enable(ctx, flags) {
  const names = flags.map((flag) => flag.name).join(', ');
  const sure = await confirm({ title: `Enable ${names}?`, body: 'A feature flag cannot be disabled again, and nodes without it can no longer join.', action: 'Enable', danger: false });
  if (!sure) return;
  try {
    for (const flag of flags) await api.put(`${api.path('feature-flags', flag.name)}/enable`, { name: flag.name });
    toast(`${names} enabled`);
  } catch (error) {
    toast(error.message, 'bad');
  }
  ctx.refresh();
}
