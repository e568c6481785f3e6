// The cluster's name and its nodes.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import * as session from '../lib/session.js';
import { link } from '../lib/router.js';
import { button, card, facts, head, table, tag } from '../parts/bits.js';
import { formDialog } from '../parts/dialog.js';
import { dataTable } from '../parts/table.js';
import { toast } from '../parts/toast.js';

export default {
  title: () => 'Cluster',
  async load(ctx, signal) {
    const [name, nodes, overview] = await Promise.all([api.get('cluster-name', { signal }), api.get('nodes', { signal }), api.get('overview', { signal })]);
    return { name: name.name, nodes, overview };
  },
  view: (ctx) => {
    const { name, nodes, overview } = ctx.data;
    return [
      head({ title: 'Cluster', actions: session.may('administrator') && [
        nodes.length > 1 && button('Spread queue leaders', rebalance),
        button('Rename', () => rename(ctx, name)),
      ] }),
      card({ title: 'Details' }, facts([
        ['Name', name],
        ['Product', [overview.product_name, overview.product_version].filter(Boolean).join(' ')],
        ['API of RabbitMQ', overview.rabbitmq_version],
        ['Default queue type', overview.default_queue_type],
        ['Tags', table(overview.cluster_tags)],
        ['Nodes', format.count(nodes.length)],
      ])),
      card({ title: 'Nodes', flush: true }, dataTable({
        caption: 'Nodes',
        rows: nodes,
        rowKey: (node) => node.name,
        columns: [
          { id: 'name', title: 'Name', cell: (node) => h('a', { href: link('nodes', node.name) }, node.name) },
          { id: 'state', title: 'State', cell: (node) => (node.running === false ? tag('not running', '', 'bad') : node.being_drained ? tag('maintenance', '', 'warn') : tag('running', '', 'good')) },
          { id: 'uptime', title: 'Up', num: true, cell: (node) => format.span(node.uptime) },
          { id: 'memory', title: 'Memory', num: true, cell: (node) => format.bytes(node.mem_used) },
          { id: 'disk', title: 'Free disk', num: true, cell: (node) => format.bytes(node.disk_free) },
        ],
      })),
    ];
  },
};

const rename = (ctx, name) => formDialog({
  title: 'Rename the cluster',
  intro: 'The name is seen by clients and in the broker’s log.',
  values: { name },
  fields: () => [{ name: 'name', label: 'Name', required: true, wide: true }],
  async submit(values) {
    await api.put('cluster-name', { name: values.name });
    toast(`The cluster’s name is ${values.name}`);
    ctx.refresh();
  },
});

async function rebalance() {
  try {
    await api.post('rebalance/queues', {});
    toast('Queue leaders are being spread over the nodes');
  } catch (error) {
    toast(error.message, 'bad');
  }
}
