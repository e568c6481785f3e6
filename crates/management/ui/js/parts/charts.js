// Which lines each of the broker's charts has.

import * as format from '../lib/format.js';
import { chart } from './chart.js';

const lines = (source, table) => table.map(([id, label, tone, more]) => ({
  id, label, tone, ...more, value: source?.[id], details: source?.[`${id}_details`],
}));

const LENGTHS = [['messages', 'Total', 'c3', { area: true }], ['messages_ready', 'Ready', 'c1'], ['messages_unacknowledged', 'Unacked', 'c2']];

const MINOR = { minor: true };

const RATES = [
  ['publish', 'Publish', 'c1'],
  ['publish_in', 'Publish in', 'c1'],
  ['publish_out', 'Publish out', 'c3'],
  ['confirm', 'Confirm', 'c6', MINOR],
  ['deliver', 'Deliver (manual ack)', 'c3'],
  ['deliver_no_ack', 'Deliver (auto ack)', 'c4', MINOR],
  ['ack', 'Consumer ack', 'c5'],
  ['redeliver', 'Redelivered', 'c2', MINOR],
  ['get', 'Get (manual ack)', 'c10', MINOR],
  ['get_no_ack', 'Get (auto ack)', 'c11', MINOR],
  ['get_empty', 'Get (empty)', 'c8', MINOR],
  ['return_unroutable', 'Unroutable (return)', 'c9', MINOR],
  ['drop_unroutable', 'Unroutable (drop)', 'c7', MINOR],
];

const DATA = [['recv_oct', 'From clients', 'c1'], ['send_oct', 'To clients', 'c3']];

export const lengthsChart = (ctx, source, id = 'lengths') =>
  chart(ctx, { id, title: 'Queued messages', kind: 'gauge', series: lines(source, LENGTHS), show: format.short });

export const ratesChart = (ctx, stats, id = 'rates') =>
  chart(ctx, { id, title: 'Message rates', kind: 'rate', series: lines(stats, RATES), show: format.rate, none: 'No message has passed yet' });

export const dataChart = (ctx, source, id = 'data') =>
  chart(ctx, { id, title: 'Data rates', kind: 'rate', series: lines(source, DATA), show: format.byteRate, base: 1024, none: 'No bytes are counted here' });

const CHURN = {
  connection: ['Connections', [['connection_created', 'Opened', 'c1'], ['connection_closed', 'Closed', 'c2']]],
  channel: ['Channels', [['channel_created', 'Opened', 'c1'], ['channel_closed', 'Closed', 'c2']]],
  queue: ['Queues', [['queue_declared', 'Declared', 'c3'], ['queue_created', 'Created', 'c1'], ['queue_deleted', 'Deleted', 'c2']]],
};

export const churnCharts = (ctx, churn) => Object.entries(CHURN).map(([id, [title, table]]) =>
  chart(ctx, { id: `churn.${id}`, title, kind: 'rate', series: lines(churn, table), show: format.rate, none: 'Nothing came or went yet' }));

/** A node's gauge against its limit. */
export const gaugeChart = (ctx, node, { key, title, label, show, tone, base }) =>
  chart(ctx, { id: `node.${key}`, title, kind: 'gauge', series: lines(node, [[key, label, tone]]), show, base });
