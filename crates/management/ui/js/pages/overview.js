// The cluster at a glance.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import * as session from '../lib/session.js';
import { link } from '../lib/router.js';
import { backlogsCard, fullest } from '../parts/backlogs.js';
import { card, fold, head, meter, stat, tag, yesNo } from '../parts/bits.js';
import { churnCharts, lengthsChart, ratesChart } from '../parts/charts.js';
import { rangeChoice, samplesFor } from '../parts/chart.js';
import { healthStrip, troubles } from '../parts/health.js';
import { startCard } from '../parts/start.js';
import { dataTable } from '../parts/table.js';

export default {
  title: () => 'Overview',
  async load(ctx, signal) {
    const samples = api.query(samplesFor(['lengths', 'msg_rates']));
    const [overview, vhost, nodes, backlogs] = await Promise.all([
      api.get('overview' + samples, { signal }),
      ctx.vhost ? api.getOr(null, `${api.path('vhosts', ctx.vhost)}${samples}`, { signal }) : null,
      session.may('monitoring') ? api.getOr([], 'nodes', { signal }) : [],
      fullest(ctx.vhost, signal),
    ]);
    return { overview, vhost, nodes, backlogs };
  },
  view: (ctx) => {
    const { overview, vhost, nodes, backlogs } = ctx.data;
    const totals = vhost ?? overview.queue_totals ?? {};
    return [
      head({ title: 'Overview', sub: vhost && `Messages of virtual host ${vhost.name}` }),
      healthStrip(troubles({ overview, nodes, backlogs, deprecated: ctx.around.deprecated }), nodes),
      counts(overview, totals),
      unused(overview) && startCard(ctx),
      card({ title: 'Messages', actions: rangeChoice(ctx) }, h('div', { class: 'charts' }, lengthsChart(ctx, totals, 'overview.lengths'), ratesChart(ctx, (vhost ?? overview).message_stats, 'overview.rates'))),
      !unused(overview) && backlogsCard(backlogs),
      nodes.length > 0 && nodesCard(nodes),
      fold({ id: 'overview.churn', title: 'Churn', open: true }, h('div', { class: 'charts three' }, churnCharts(ctx, overview.churn_rates))),
      listeners(overview),
    ];
  },
};

const unused = ({ object_totals: objects }) => objects?.queues === 0 && objects.connections === 0;

function counts(overview, totals) {
  const objects = overview.object_totals ?? {};
  // Without a queue the broker leaves its totals out.
  const none = objects.queues === 0 ? 0 : undefined;
  return h('div', { class: 'stats' },
    stat('Ready', format.short(totals.messages_ready ?? none), '#/queues?sort=messages_ready'),
    stat('Unacked', format.short(totals.messages_unacknowledged ?? none), '#/queues?sort=messages_unacknowledged'),
    stat('Connections', format.count(objects.connections), '#/connections'),
    stat('Channels', format.count(objects.channels), '#/channels'),
    stat('Exchanges', format.count(objects.exchanges), '#/exchanges'),
    stat('Queues', format.count(objects.queues), '#/queues'),
    stat('Consumers', format.count(objects.consumers)));
}

const nodesCard = (nodes) => card({ title: nodes.length === 1 ? 'Node' : 'Nodes' }, nodes.map((node) =>
  h('div', { class: 'node-row', key: node.name },
    h('div', { class: 'node-name' },
      h('a', { href: link('nodes', node.name) }, h('strong', {}, node.name)),
      node.running === false ? tag('not running', '', 'bad') : tag('running', '', 'good'),
      node.being_drained && tag('maintenance', 'Being drained', 'warn'),
      node.mem_alarm && tag('memory alarm', 'Publishers are held back', 'bad'),
      node.disk_free_alarm && tag('disk alarm', 'Publishers are held back', 'bad'),
      h('span', { class: 'muted' }, node.uptime === undefined ? '' : `up ${format.span(node.uptime)}`),
      node.processors !== undefined && h('span', { class: 'muted' }, format.plural(node.processors, 'core'))),
    node.running === false
      ? h('p', { class: 'muted' }, 'Its figures come back with it.')
      : h('div', { class: 'meters' }, meters(node)))));

/** How far the disk is from its alarm. */
const diskTone = (node) => (node.disk_free_alarm ? 'bad' : node.disk_free < 2 * node.disk_free_limit ? 'warn' : 'good');

export const meters = (node) => [
  meter('Memory', node.mem_used, node.mem_limit, format.bytes(node.mem_used), `of ${format.bytes(node.mem_limit)} before the alarm`, node.mem_alarm ? 'bad' : undefined),
  meter('Free disk', node.disk_free - node.disk_free_limit, node.disk_free, format.bytes(node.disk_free), `alarm below ${format.bytes(node.disk_free_limit)}`, diskTone(node)),
  node.fd_total > 0 && meter('File descriptors', node.fd_used, node.fd_total, format.count(node.fd_used), `of ${format.count(node.fd_total)}`),
  node.sockets_total > 0 && meter('Sockets', node.sockets_used, node.sockets_total, format.count(node.sockets_used), `of ${format.count(node.sockets_total)}`),
];

function listeners(overview) {
  const listening = overview.listeners ?? [];
  const many = new Set(listening.map((one) => one.node)).size > 1;
  return fold({ id: 'overview.listeners', title: 'Listeners', note: format.plural(listening.length, 'port'), open: true, flush: true },
    dataTable({
      caption: 'Listening ports',
      tight: true,
      rows: listening,
      rowKey: (one) => `${one.node}${one.protocol}${one.ip_address}${one.port}`,
      columns: [
        { id: 'protocol', title: 'Protocol', cell: (one) => one.protocol },
        many && { id: 'node', title: 'Node', cell: (one) => one.node },
        { id: 'address', title: 'Bound to', cell: (one) => h('span', { class: 'mono' }, one.ip_address) },
        { id: 'port', title: 'Port', num: true, cell: (one) => String(one.port) },
        { id: 'tls', title: 'TLS', cell: (one) => yesNo(one.tls) },
      ].filter(Boolean),
    }));
}
