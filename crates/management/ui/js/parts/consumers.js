// Consumers of a queue or of a channel.

import * as format from '../lib/format.js';
import { channelLink, empty, queueLink, table, tag, yesNo } from './bits.js';
import { localTable } from './table.js';

export const consumerTable = (ctx, { consumers, of }) => localTable(ctx, {
  id: `consumers.${of}`,
  rows: consumers,
  caption: 'Consumers',
  rowKey: (one) => `${one.channel_details?.name}\n${one.consumer_tag}`,
  text: (one) => `${one.consumer_tag} ${one.channel_details?.name} ${one.queue?.name}`,
  placeholder: 'Filter consumers',
  none: empty({ title: 'No consumers', text: of === 'queue' ? 'Nobody reads from this queue now.' : 'Nothing is consumed on this channel.', iconName: 'channels' }),
  columns: [
    of === 'queue'
      ? { id: 'channel', title: 'Channel', sort: 'channel', value: (one) => one.channel_details?.name, cell: (one) => (one.channel_details?.name ? channelLink(one.channel_details.name) : format.NONE) }
      : { id: 'queue', title: 'Queue', sort: 'queue', value: (one) => one.queue.name, cell: (one) => queueLink(one.queue.vhost, one.queue.name) },
    { id: 'tag', title: 'Consumer tag', sort: 'tag', value: (one) => one.consumer_tag, class: 'break', cell: (one) => one.consumer_tag },
    { id: 'ack', title: 'Ack', cell: (one) => tag(one.ack_required ? 'manual' : 'auto') },
    { id: 'exclusive', title: 'Exclusive', cell: (one) => yesNo(one.exclusive) },
    { id: 'prefetch', title: 'Prefetch', num: true, sort: 'prefetch', value: (one) => one.prefetch_count, cell: (one) => (one.prefetch_count === 0 ? 'no limit' : format.count(one.prefetch_count)) },
    { id: 'active', title: 'Active', cell: (one) => (one.active ? tag('active', one.activity_status, 'good') : tag(String(one.activity_status ?? 'waiting').replaceAll('_', ' '))) },
    { id: 'timeout', title: 'Timeout', num: true, cell: (one) => format.span(one.consumer_timeout) },
    { id: 'arguments', title: 'Arguments', cell: (one) => table(one.arguments) },
  ],
});
