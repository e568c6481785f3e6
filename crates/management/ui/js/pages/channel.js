// One channel.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { card, connectionLink, facts, head, state, time, userLink, vhostLink } from '../parts/bits.js';
import { ratesChart } from '../parts/charts.js';
import { rangeChoice, samplesFor } from '../parts/chart.js';
import { consumerTable } from '../parts/consumers.js';

export default {
  title: (ctx) => ctx.params.name,
  load: async ({ params }, signal) => ({ channel: await api.get(api.path('channels', params.name) + api.query(samplesFor(['msg_rates'], true)), { signal }) }),
  view: (ctx) => {
    const { channel } = ctx.data;
    return [
      head({ title: `Channel ${channel.number ?? ''}`, copy: channel.name, sub: channel.name, up: { href: '#/channels', label: 'Channels' } }),
      card({ title: 'Activity', actions: rangeChoice(ctx, true) }, h('div', { class: 'charts' }, ratesChart(ctx, channel.message_stats, 'channel.rates'))),
      card({ title: 'Details' }, details(channel)),
      card({ title: 'Consumers', flush: true }, consumerTable(ctx, { consumers: channel.consumer_details ?? [], of: 'channel' })),
    ];
  },
};

const details = (channel) => facts([
  ['Connection', channel.connection_details?.name && connectionLink(channel.connection_details.name)],
  ['User', channel.user && userLink(channel.user)],
  ['Virtual host', channel.vhost && vhostLink(channel.vhost)],
  ['State', state(channel.state)],
  ['Idle since', channel.idle_since && time(channel.idle_since)],
  ['Mode', channel.confirm ? 'publisher confirms' : channel.transactional ? 'transactions' : 'plain'],
  ['Prefetch', channel.prefetch_count === 0 ? 'no limit' : format.count(channel.prefetch_count)],
  ['Unacked', format.count(channel.messages_unacknowledged)],
  ['Unconfirmed', format.count(channel.messages_unconfirmed)],
  ['Uncommitted', format.count(channel.messages_uncommitted)],
  ['Acks uncommitted', format.count(channel.acks_uncommitted)],
  ['Pending Raft commands', channel.pending_raft_commands === undefined ? undefined : format.count(channel.pending_raft_commands)],
  ['Node', channel.node],
]);
