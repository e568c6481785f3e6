// The first steps with a broker that nobody uses yet.

import { h } from '../lib/dom.js';
import { go, link } from '../lib/router.js';
import * as session from '../lib/session.js';
import { addQueue } from './add-queue.js';
import { button, card } from './bits.js';
import { copyButton } from './copy.js';

/** Where clients can connect to, as the broker's listeners say, seen from this browser. */
export function addresses(overview) {
  const urls = (overview?.listeners ?? []).filter((one) => ['amqp', 'amqps', 'amqp/ssl'].includes(one.protocol))
    .map((one) => `${one.protocol.replace('/ssl', 's')}://${location.hostname}:${one.port}`);
  return h('ul', { class: 'addresses' }, [...new Set(urls)].map((url) => h('li', { key: url }, h('code', {}, url), copyButton(url, 'Address'))));
}

const step = (title, text, action) => h('li', {}, h('h3', {}, title), h('p', { class: 'soft' }, text), action);

/** For the overview, while there is neither a queue nor a connection. */
export const startCard = (ctx) => card({ title: 'Begin here', key: 'start' }, h('ol', { class: 'steps' },
  step('Connect a client', 'Any AMQP 0-9-1 library for RabbitMQ works as it is.', addresses(ctx.data.overview)),
  step('Declare a queue', 'Applications mostly do this themselves; here it takes a name.', button('Add queue', () => addQueue(ctx, (vhost, name) => go(link('queues', vhost, name))), { iconName: 'plus' })),
  session.may('administrator') && step('Or bring what you have', 'Export the definitions of a RabbitMQ and import the file.', h('a', { class: 'button', href: '#/definitions' }, 'Import definitions'))));
