// The fullest queues, and where each of them is heading.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { card, empty, figure, queueLink, tag } from './bits.js';
import { dataTable } from './table.js';

const LOOKED_AT = 50;
const SHOWN = 5;
const KEYS = ['name', 'vhost', 'state', 'messages_ready', 'consumers', 'message_stats.publish_details.rate', 'message_stats.ack_details.rate', 'message_stats.deliver_no_ack_details.rate', 'message_stats.get_no_ack_details.rate'];

/** The queues with the most ready messages, fullest first. */
export async function fullest(vhost, signal) {
  const answer = await api.getOr({ items: [] }, (vhost ? api.path('queues', vhost) : 'queues') + api.query({
    page: 1, page_size: LOOKED_AT, sort: 'messages_ready', sort_reverse: true, pagination: true, columns: KEYS.join(','),
  }), { signal });
  return answer.items;
}

const rate = (queue, key) => queue.message_stats?.[`${key}_details`]?.rate;
const arriving = (queue) => rate(queue, 'publish');

/** What leaves for good: acknowledged, or taken without that. */
const leaving = (queue) => {
  const rates = ['ack', 'deliver_no_ack', 'get_no_ack'].map((key) => rate(queue, key)).filter((one) => one !== undefined);
  return rates.length ? rates.reduce((sum, one) => sum + one, 0) : undefined;
};

/** When a queue will be empty if all goes on as now; null when that cannot be said. */
export function outlook(queue) {
  if (!queue.consumers) return tag('nobody reads', 'No consumer', 'warn');
  const net = (leaving(queue) ?? 0) - (arriving(queue) ?? 0);
  if (leaving(queue) === undefined && arriving(queue) === undefined) return null;
  if (Math.abs(net) < 0.1) return tag('steady');
  return net > 0 ? tag(`empty in ${format.span((queue.messages_ready / net) * 1000)}`, 'At the present rates', 'good') : tag(`grows by ${format.rate(-net)}`, 'At the present rates', 'warn');
}

export function backlogsCard(backlogs) {
  const rows = backlogs.filter((queue) => queue.messages_ready > 0).slice(0, SHOWN);
  const all = h('a', { class: 'button small', href: '#/queues?sort=messages_ready' }, 'All queues');
  return card({ title: 'Backlogs', note: 'the fullest queues', flush: true, key: 'backlogs', actions: rows.length > 0 && all }, dataTable({
    caption: 'The fullest queues',
    rows,
    rowKey: (queue) => `${queue.vhost}\n${queue.name}`,
    none: empty({ title: 'No backlog', text: 'Every message that was ready has been delivered.', iconName: 'check' }),
    columns: [
      { id: 'name', title: 'Queue', cell: (queue) => h('span', {}, queueLink(queue.vhost, queue.name), queue.vhost !== '/' && h('span', { class: 'sub' }, queue.vhost)) },
      { id: 'outlook', title: 'Outlook', inline: true, cell: outlook },
      { id: 'ready', title: 'Ready', num: true, cell: (queue) => figure(queue.messages_ready, format.count) },
      { id: 'consumers', title: 'Consumers', num: true, cell: (queue) => figure(queue.consumers, format.count) },
      { id: 'in', title: 'In', num: true, cell: (queue) => figure(arriving(queue), format.rate) },
      { id: 'out', title: 'Out', num: true, cell: (queue) => figure(leaving(queue), format.rate) },
    ],
  }));
}
