// What an operator should know first: is everything fine, and if not, where to look.

import { h } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { link } from '../lib/router.js';
import { queueLink } from './bits.js';
import { icon } from './icons.js';

/** From this part of a limit on, it is worth a word before the alarm. */
const NEAR = 0.9;
const NAMED_AT_MOST = 3;
const TONES = ['bad', 'warn', 'note'];
const WELL = new Set(['running', 'idle', 'flow', undefined]);

/** What is wrong or soon will be, the worst first: `[{tone, text}]`. `backlogs` are the fullest queues. */
export const troubles = ({ overview, nodes, backlogs, deprecated }) => [
  ...nodes.flatMap(nodeTroubles),
  ...backlogs.filter((queue) => !WELL.has(queue.state)).map((queue) => bad([named([queue]), ` is ${queue.state}`])),
  ...unroutable(overview.message_stats),
  ...unread(backlogs),
  ...((deprecated ?? []).length ? [note([h('a', { href: '#/deprecated-features' }, format.plural(deprecated.length, 'deprecated feature')), ' in use: a later version will not have it'])] : []),
].sort((a, b) => TONES.indexOf(a.tone) - TONES.indexOf(b.tone));

const bad = (text) => ({ tone: 'bad', text });
const warn = (text) => ({ tone: 'warn', text });
const note = (text) => ({ tone: 'note', text });

function nodeTroubles(node) {
  const name = h('a', { href: link('nodes', node.name) }, node.name);
  if (node.running === false) return [bad([name, ' is not running'])];
  return [
    node.mem_alarm && bad([name, ' has used the memory it may: publishers are held back']),
    node.disk_free_alarm && bad([name, ' has too little free disk: publishers are held back']),
    node.partitions?.length > 0 && bad([name, ` does not see ${node.partitions.join(', ')}`]),
    node.being_drained && warn([name, ' is in maintenance']),
    !node.mem_alarm && node.mem_used > NEAR * node.mem_limit && warn([name, ' is close to its memory alarm']),
    !node.disk_free_alarm && node.disk_free * NEAR < node.disk_free_limit && warn([name, ' is close to its disk alarm']),
    node.fd_total > 0 && node.fd_used > NEAR * node.fd_total && warn([name, ' is short of file descriptors']),
  ].filter(Boolean);
}

function unroutable(stats) {
  const lost = stats?.drop_unroutable_details?.rate ?? 0;
  const returned = stats?.return_unroutable_details?.rate ?? 0;
  return [
    lost > 0 && warn(`${format.rate(lost)} of the published messages reach no queue and are dropped`),
    returned > 0 && warn(`${format.rate(returned)} of the published messages reach no queue and go back to their publishers`),
  ].filter(Boolean);
}

function unread(backlogs) {
  const found = backlogs.filter((queue) => queue.consumers === 0 && queue.messages_ready > 0);
  return found.length ? [note([named(found), found.length === 1 ? ' holds messages that nobody reads' : ' hold messages that nobody reads'])] : [];
}

function named(queues) {
  const rest = queues.length - NAMED_AT_MOST;
  const links = queues.slice(0, NAMED_AT_MOST).flatMap((queue, index) => [index ? ', ' : '', queueLink(queue.vhost, queue.name)]);
  return h('span', {}, links, rest > 0 && ` and ${format.plural(rest, 'other queue')}`);
}

/** The strip at the head of the overview. */
export function healthStrip(found, nodes) {
  const worst = found[0]?.tone;
  const fine = !worst || worst === 'note';
  return h('section', { class: `health ${fine ? 'good' : worst}`, 'aria-label': 'Health', key: 'health' },
    h('div', { class: 'health-word', role: 'status' }, icon(fine ? 'check' : 'deprecated'),
      h('div', {}, h('strong', {}, { bad: 'Needs attention', warn: 'Keep an eye on this' }[worst] ?? 'All is well'),
        fine && h('span', { class: 'soft' }, nodes.length ? `No alarms, ${format.plural(nodes.length, 'node')} running` : 'Nothing to report'))),
    found.length > 0 && h('ul', { class: 'health-list' }, found.map((one, index) => h('li', { key: index, class: one.tone }, h('i', {}), h('span', {}, one.text)))));
}
