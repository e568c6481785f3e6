// Features that will go, and whether they are in use.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import { card, empty, head, tag } from '../parts/bits.js';
import { localTable } from '../parts/table.js';

const PHASES = {
  permitted_by_default: ['permitted', ''], denied_by_default: ['denied', 'warn'], disconnected: ['disconnected', 'warn'], removed: ['removed', 'bad'],
};

export default {
  title: () => 'Deprecated features',
  async load(ctx, signal) {
    const [features, used] = await Promise.all([api.get('deprecated-features', { signal }), api.get('deprecated-features/used', { signal })]);
    return { features, used: new Set(used.map((feature) => feature.name)) };
  },
  view: (ctx) => [
    head({ title: 'Deprecated features', sub: 'What a later version will no longer have.' }),
    card({ flush: true }, localTable(ctx, {
      id: 'deprecated',
      rows: ctx.data.features,
      caption: 'Deprecated features',
      rowKey: (feature) => feature.name,
      text: (feature) => `${feature.name} ${feature.desc}`,
      sort: { by: 'name', down: false },
      none: empty({ title: 'Nothing is deprecated', iconName: 'check' }),
      columns: [
        { id: 'name', title: 'Name', sort: 'name', value: (feature) => feature.name, cell: (feature) => h('span', {}, h('span', { class: 'mono break' }, feature.name), feature.desc && h('span', { class: 'sub' }, feature.desc)) },
        { id: 'used', title: 'In use', sort: 'used', value: (feature) => (ctx.data.used.has(feature.name) ? 0 : 1), cell: (feature) => (ctx.data.used.has(feature.name) ? tag('in use', '', 'warn') : h('span', { class: 'muted' }, 'no')) },
        { id: 'phase', title: 'Phase', sort: 'phase', value: (feature) => feature.deprecation_phase, cell: (feature) => tag(...phase(feature.deprecation_phase)) },
        { id: 'state', title: 'Now', sort: 'state', value: (feature) => feature.state, cell: (feature) => tag(feature.state, '', feature.state === 'permitted' ? 'good' : '') },
        { id: 'doc', title: '', label: 'Documentation', class: 'actions', cell: (feature) => /^https:/.test(feature.doc_url) && h('a', { href: feature.doc_url, target: '_blank', rel: 'noopener noreferrer' }, 'Read more') },
      ],
    })),
  ],
};

const phase = (name) => {
  const [label, tone] = PHASES[name] ?? [name, ''];
  return [`${label}${name?.endsWith('by_default') ? ' by default' : ''}`, '', tone];
};
