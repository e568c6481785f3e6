// One node.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import * as session from '../lib/session.js';
import { button, card, facts, fold, head, tag } from '../parts/bits.js';
import { gaugeChart } from '../parts/charts.js';
import { rangeChoice, samplesFor } from '../parts/chart.js';
import { confirm } from '../parts/dialog.js';
import { dataTable } from '../parts/table.js';
import { toast } from '../parts/toast.js';
import { meters } from './overview.js';

const TONES = 11;

export default {
  title: (ctx) => ctx.params.name,
  async load({ params }, signal) {
    const at = api.path('nodes', params.name);
    const [node, memory] = await Promise.all([
      api.get(at + api.query(samplesFor(['node_stats'], true)), { signal }),
      api.getOr({}, `${at}/memory`, { signal }).catch(() => ({})),
    ]);
    return { node, memory: memory.memory };
  },
  view: (ctx) => {
    const { node, memory } = ctx.data;
    return [
      head({
        title: node.name,
        tags: [node.running === false ? tag('not running', '', 'bad') : tag('running', '', 'good'), node.being_drained && tag('maintenance', '', 'warn')],
        sub: node.uptime === undefined ? null : `Up for ${format.span(node.uptime)}`,
        up: { href: '#/cluster-name', label: 'Cluster' },
        actions: session.may('administrator') && button('Reset statistics', () => reset(ctx, node)),
      }),
      node.mem_used !== undefined && card({ title: 'Activity', actions: rangeChoice(ctx, true) },
        h('div', { class: 'stack' }, h('div', { class: 'meters' }, meters(node)),
          h('div', { class: 'charts three' },
            gaugeChart(ctx, node, { key: 'mem_used', title: 'Memory', label: 'Used', show: format.bytes, tone: 'c1', base: 1024 }),
            gaugeChart(ctx, node, { key: 'disk_free', title: 'Free disk', label: 'Free', show: format.bytes, tone: 'c3', base: 1024 }),
            gaugeChart(ctx, node, { key: 'fd_used', title: 'File descriptors', label: 'Used', show: format.count, tone: 'c2' })))),
      memory && typeof memory === 'object' && memoryCard(memory),
      card({ title: 'Details' }, details(node)),
      plugins(node),
    ];
  },
};

function memoryCard(memory) {
  const total = typeof memory.total === 'object' ? memory.total[memory.strategy] ?? Math.max(...Object.values(memory.total)) : memory.total;
  const parts = Object.entries(memory).filter(([name, value]) => !['total', 'strategy'].includes(name) && value > 0).sort((a, b) => b[1] - a[1]);
  if (parts.length === 0) return null;
  const tone = (index) => `c${(index % TONES) + 1}`;
  return card({ title: 'Memory', note: total ? format.bytes(total) : '' },
    h('div', { class: 'stack tight' },
      h('div', { class: 'bar-stack', 'aria-hidden': 'true' }, parts.map(([name, value], index) => h('i', { class: tone(index), key: name, title: name, style: { 'flex-grow': String(value) } }))),
      h('ul', { class: 'legend' }, parts.map(([name, value], index) => h('li', { key: name }, h('span', { class: `legend-item ${tone(index)}` }, h('i', {}), h('span', {}, name.replaceAll('_', ' ')), h('strong', {}, format.bytes(value))))))));
}

const files = (list) => h('ul', { class: 'mono' }, (list ?? []).map((file) => h('li', { key: file, class: 'break' }, file)));

const details = (node) => facts([
  ['Process id', node.os_pid],
  ['Cores', node.processors],
  ['Version', node.rabbitmq_version ?? node.applications?.find((one) => one.name === 'rabbit')?.version],
  ['Data directory', node.db_dir && h('span', { class: 'mono' }, node.db_dir)],
  ['Configuration', node.config_files?.length ? files(node.config_files) : null],
  ['Log', node.log_files && files(node.log_files)],
  ['Login mechanisms', h('span', { class: 'tags' }, (node.auth_mechanisms ?? []).filter((one) => one.enabled).map((one) => tag(one.name, one.description)))],
  ['Exchange types', h('span', { class: 'tags' }, (node.exchange_types ?? []).filter((one) => one.enabled).map((one) => tag(one.name, one.description)))],
]);

const plugins = (node) => node.enabled_plugins?.length > 0 && fold({ id: 'node.plugins', title: 'Plugins', note: format.count(node.enabled_plugins.length), flush: true },
  dataTable({
    caption: 'Plugins',
    rows: node.enabled_plugins,
    rowKey: (name) => name,
    columns: [
      { id: 'name', title: 'Name', cell: (name) => h('span', { class: 'mono' }, name) },
      { id: 'about', title: 'What it does', cell: (name) => node.applications?.find((one) => one.name === name)?.description ?? '' },
      { id: 'version', title: 'Version', cell: (name) => node.applications?.find((one) => one.name === name)?.version ?? '' },
    ],
  }));

async function reset(ctx, node) {
  const sure = await confirm({ title: `Reset the statistics of ${node.name}?`, body: 'Charts and rates begin anew. Messages are not touched.', action: 'Reset statistics' });
  if (!sure) return;
  try {
    await api.del(api.path('reset', node.name));
    toast('Statistics are reset');
  } catch (error) {
    toast(error.message, 'bad');
  }
  ctx.refresh();
}
