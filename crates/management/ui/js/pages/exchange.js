// One exchange.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { go } from '../lib/router.js';
import { button, card, empty, facts, head, table, tag, vhostLink } from '../parts/bits.js';
import { addBinding, bindingTable } from '../parts/bindings.js';
import { ratesChart } from '../parts/charts.js';
import { rangeChoice, samplesFor } from '../parts/chart.js';
import { confirm } from '../parts/dialog.js';
import { policyFacts } from '../parts/features.js';
import { bindingGraph } from '../parts/graph.js';
import { publishForm } from '../parts/publish.js';
import { toast } from '../parts/toast.js';

const at = (exchange) => api.path('exchanges', exchange.vhost, exchange.name || 'amq.default');

export default {
  title: (ctx) => format.exchangeName(ctx.params.name),
  async load({ params }, signal) {
    const here = api.path('exchanges', params.vhost, params.name);
    const [exchange, outgoing, incoming] = await Promise.all([
      api.get(here + api.query(samplesFor(['msg_rates'], true)), { signal }),
      params.name === 'amq.default' ? null : api.getOr([], `${here}/bindings/source`, { signal }),
      params.name === 'amq.default' ? [] : api.getOr([], `${here}/bindings/destination`, { signal }),
    ]);
    return { exchange, outgoing, incoming };
  },
  view: (ctx) => {
    const { exchange, outgoing, incoming } = ctx.data;
    const own = exchange.name !== '' && !exchange.name.startsWith('amq.');
    return [
      head({
        title: format.exchangeName(exchange.name),
        copy: exchange.name,
        tags: [tag(exchange.type, 'Type', 'accent'), exchange.internal && tag('internal')],
        sub: ['in virtual host ', vhostLink(exchange.vhost)],
        up: { href: '#/exchanges', label: 'Exchanges' },
        actions: own && button('Delete', () => remove(exchange, outgoing, incoming), { tone: 'danger', iconName: 'trash' }),
      }),
      h('div', { class: 'split' },
        card({ title: 'Activity', actions: rangeChoice(ctx, true) }, ratesChart(ctx, exchange.message_stats, 'exchange.rates')),
        card({ title: 'Details' }, details(exchange))),
      outgoing === null
        ? card({ title: 'Bindings' }, h('p', { class: 'soft' }, 'Every queue of this virtual host is bound to the default exchange by its own name. These bindings can be neither added nor removed.'))
        : bindingsCard(ctx, exchange, outgoing, incoming),
      !exchange.internal && publishForm(ctx, { vhost: exchange.vhost, exchange: exchange.name, open: false }),
    ];
  },
};

const details = (exchange) => facts([
  ['Durable', exchange.durable ? 'yes' : 'no'],
  exchange.auto_delete && ['Auto-delete', 'yes'],
  ['Arguments', table(exchange.arguments)],
  ...policyFacts(exchange),
  ['Made by', exchange.user_who_performed_action],
]);

/** Where messages go that match no binding. */
function unroutedWay({ vhost, arguments: given, effective_policy_definition: policy }) {
  const name = given?.['alternate-exchange'] ?? policy?.['alternate-exchange'];
  return name === undefined ? [] : [{ key: 'alternate', label: 'if nothing matches', vhost, exchange: name }];
}

function bindingsCard(ctx, exchange, outgoing, incoming) {
  const bind = button('Add binding', () => addBinding(ctx, { vhost: exchange.vhost, source: exchange.name }), { iconName: 'plus' });
  return card({ title: 'Bindings', actions: bind, note: `${format.count(outgoing.length)} out, ${format.count(incoming.length)} in` },
    bindingGraph(ctx, { id: 'exchange', kind: 'exchanges', name: exchange.name, incoming, outgoing, after: unroutedWay(exchange) }),
    incoming.length > 0 && h('div', { key: 'in' }, h('h3', {}, 'From other exchanges'), bindingTable(ctx, { id: 'exchange.in', bindings: incoming, side: 'source' })),
    h('div', { key: 'out' }, incoming.length > 0 && h('h3', {}, 'To queues and exchanges'),
      bindingTable(ctx, {
        id: 'exchange.out', bindings: outgoing, side: 'destination',
        none: empty({ title: 'Nothing is bound here', text: 'Messages published to this exchange reach no queue.', iconName: 'exchanges' }),
      })));
}

async function remove(exchange, outgoing, incoming) {
  const bindings = outgoing.length + incoming.length;
  const sure = await confirm({
    title: `Delete ${exchange.name}?`,
    body: h('p', {}, 'Exchange ', h('strong', {}, exchange.name), ` in ${exchange.vhost} is deleted with its ${format.plural(bindings, 'binding')}. Publishers that name it get an error.`),
    action: 'Delete exchange',
  });
  if (!sure) return;
  try {
    await api.del(at(exchange));
    toast(`${exchange.name} is deleted`);
    go('#/exchanges');
  } catch (error) {
    toast(error.message, 'bad');
  }
}
