// Short marks for what a queue or an exchange was declared with.

import { h } from '../lib/dom.js';
import { link } from '../lib/router.js';
import { tag, table } from './bits.js';

const QUEUE_MARKS = [
  ['x-message-ttl', 'TTL', 'Messages expire after'], ['x-expires', 'Exp', 'Deleted when unused for'],
  ['x-max-length', 'Lim', 'At most so many messages'], ['x-max-length-bytes', 'Lim B', 'At most so many bytes'],
  ['x-overflow', 'Ovfl', 'At the limit'], ['x-dead-letter-exchange', 'DLX', 'Dead letters go to'],
  ['x-dead-letter-routing-key', 'DLK', 'Dead letters’ routing key'], ['x-max-priority', 'Pri', 'Priorities up to'],
  ['x-single-active-consumer', 'SAC', 'Single active consumer'], ['x-queue-leader-locator', 'LL', 'Leader’s place'],
];
const SHOWN = new Set([...QUEUE_MARKS.map(([key]) => key), 'x-queue-type']);

export function queueMarks(queue) {
  const args = queue.arguments ?? {};
  const others = Object.keys(args).filter((key) => !SHOWN.has(key));
  return h('span', { class: 'tags' },
    queue.durable === false && tag('transient', 'Gone after a restart of the broker'),
    queue.auto_delete && tag('AD', 'Deleted with its last consumer'),
    queue.exclusive && tag('Excl', 'Exclusive to its connection'),
    QUEUE_MARKS.filter(([key]) => key in args && args[key] !== false).map(([key, mark, about]) => tag(mark, `${about}: ${args[key]}`)),
    others.length > 0 && tag('Args', others.map((key) => `${key}: ${JSON.stringify(args[key])}`).join('\n')),
    queue.policy && tag(queue.policy, 'Policy', 'accent'),
    queue.operator_policy && tag(queue.operator_policy, 'Operator policy', 'warn'));
}

export function exchangeMarks(exchange) {
  const args = exchange.arguments ?? {};
  const others = Object.keys(args).filter((key) => key !== 'alternate-exchange');
  return h('span', { class: 'tags' },
    exchange.durable === false && tag('transient', 'Gone after a restart of the broker'),
    exchange.auto_delete && tag('AD', 'Deleted with its last binding'),
    exchange.internal && tag('I', 'Internal: clients cannot publish to it'),
    args['alternate-exchange'] && tag('AE', `Alternate exchange: ${args['alternate-exchange']}`),
    others.length > 0 && tag('Args', others.join(', ')),
    exchange.policy && tag(exchange.policy, 'Policy', 'accent'));
}

/** Policy rows of a detail page's facts. */
export const policyFacts = (thing) => [
  ['Policy', thing.policy ? h('a', { href: link('policies') }, thing.policy) : null],
  thing.operator_policy && ['Operator policy', h('a', { href: link('policies') }, thing.operator_policy)],
  Object.keys(thing.effective_policy_definition ?? {}).length > 0 && ['Effective definition', table(thing.effective_policy_definition)],
];
