// Purge, move and delete a queue. Each dialog names it and says what is in it.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { go } from '../lib/router.js';
import { moveAll } from '../lib/transfer.js';
import { doToAll } from './bulk.js';
import { confirm, formDialog } from './dialog.js';
import { toast } from './toast.js';

const named = (queue) => h('strong', { class: 'break' }, queue.name);
const held = (queue) => (typeof queue.messages === 'number' ? format.plural(queue.messages, 'message') : 'its messages');
const at = (queue) => api.path('queues', queue.vhost, queue.name);

const UNLESS = [
  { name: 'empty', label: 'Only if empty', type: 'check' },
  { name: 'unused', label: 'Only if nobody consumes', type: 'check' },
];

export async function purge(ctx, queue) {
  const sure = await confirm({
    title: `Purge ${queue.name}?`,
    body: h('p', {}, 'All ready messages of ', named(queue), ` in ${queue.vhost} are deleted: ${format.plural(queue.messages_ready ?? 0, 'message')} now. This cannot be undone.`),
    action: 'Purge queue',
  });
  if (!sure) return;
  try {
    await api.del(`${at(queue)}/contents`);
    toast(`${queue.name} is purged`);
  } catch (error) {
    toast(error.message, 'bad');
  }
  ctx.refresh();
}

export const deleteQueue = (ctx, queue) => formDialog({
  title: `Delete ${queue.name}?`,
  intro: ['Queue ', named(queue), ` in ${queue.vhost} is deleted with ${held(queue)} and its bindings. `,
    queue.consumers > 0 ? `${format.plural(queue.consumers, 'consumer')} will be cancelled. ` : '', 'This cannot be undone.'],
  action: 'Delete queue',
  danger: true,
  fields: () => UNLESS,
  async submit(values) {
    await api.del(at(queue) + api.query({ 'if-empty': values.empty || '', 'if-unused': values.unused || '' }));
    toast(`${queue.name} is deleted`);
    go('#/queues');
  },
});

export const moveMessages = (ctx, queue) => formDialog({
  title: `Move the messages of ${queue.name}`,
  intro: `${held(queue)} go from the head of this queue to another one in ${queue.vhost}, in order. None is removed here before it is safe there.`,
  action: 'Move messages',
  fields: () => [{ name: 'to', label: 'To queue', required: true, wide: true }],
  async submit({ to }) {
    if (to === queue.name) throw new Error('That is the same queue.');
    await api.get(api.path('queues', queue.vhost, to)).catch((error) => {
      throw error.status === 404 ? new Error(`There is no queue ${to} in ${queue.vhost}.`) : error;
    });
    const moved = await moveAll({ vhost: queue.vhost, queue: queue.name, to, count: queue.messages_ready ?? 0 }).finally(() => ctx.refresh());
    toast(`${format.plural(moved, 'message')} moved to ${to}`);
  },
});

const shared = (queues) => (new Set(queues.map((queue) => queue.vhost)).size > 1 ? (queue) => `${queue.vhost}: ${queue.name}` : (queue) => queue.name);
const ready = (queues) => format.plural(queues.reduce((sum, queue) => sum + (queue.messages_ready ?? 0), 0), 'ready message');

async function moveTo(queue, to) {
  if (to === queue.name) throw new Error('That is the same queue.');
  await moveAll({ vhost: queue.vhost, queue: queue.name, to, count: queue.messages_ready ?? 0 });
}

/** What can be done with several queues of the list. */
export const bulkActions = (ctx) => [
  {
    label: 'Move',
    run: (queues, done) => doToAll(ctx, queues, (queue, { to }) => moveTo(queue, to), {
      title: `Move the messages of ${format.plural(queues.length, 'queue')}`,
      text: `Their ${ready(queues)} go to another queue of the same virtual host, one queue after the other. None is removed before it is safe there.`,
      action: 'Move messages', past: 'moved', name: shared(queues), fields: [{ name: 'to', label: 'To queue', required: true, wide: true }], danger: false, done,
    }),
  },
  {
    label: 'Purge',
    run: (queues, done) => doToAll(ctx, queues, (queue) => api.del(`${at(queue)}/contents`), {
      title: `Purge ${format.plural(queues.length, 'queue')}?`, text: `Their ${ready(queues)} are deleted. This cannot be undone.`,
      action: 'Purge queues', past: 'purged', name: shared(queues), done,
    }),
  },
  {
    label: 'Delete',
    danger: true,
    run: (queues, done) => doToAll(ctx, queues, (queue, values) => api.del(at(queue) + api.query({ 'if-empty': values.empty || '', 'if-unused': values.unused || '' })), {
      title: `Delete ${format.plural(queues.length, 'queue')}?`, text: `They are deleted with ${ready(queues)} and their bindings. This cannot be undone.`,
      action: 'Delete queues', past: 'deleted', name: shared(queues), fields: UNLESS, done,
    }),
  },
];
