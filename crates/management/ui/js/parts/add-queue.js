// Declares a queue or a stream.

import * as api from '../lib/api.js';
import { formDialog } from './dialog.js';
import { QUEUE_ARGUMENTS } from './hints.js';
import { toObject } from './pairs.js';
import { toast } from './toast.js';

export async function vhostNames() {
  const vhosts = await api.getOr([], 'vhosts?columns=name');
  return vhosts.map((vhost) => vhost.name);
}

export const vhostField = (names) => ({ name: 'vhost', label: 'Virtual host', type: 'select', options: names });

export async function addQueue(ctx, done) {
  const names = await vhostNames();
  return formDialog({
    title: 'Add a queue',
    wide: true,
    action: 'Add queue',
    values: { vhost: ctx.vhost || (names.includes('/') ? '/' : names[0]), type: 'default', durable: 'true' },
    fields: (values) => [
      { name: 'name', label: 'Name', hint: 'Left empty, the broker makes one up.' },
      vhostField(names),
      { name: 'type', label: 'Type', type: 'select', options: [['default', 'The vhost’s default'], ['classic', 'Classic'], ['quorum', 'Quorum (replicated)'], ['stream', 'Stream (a log that is kept)']] },
      ['classic', 'default'].includes(values.type) && { name: 'durable', label: 'Durability', type: 'select', options: [['true', 'Durable'], ['false', 'Transient']] },
      { name: 'arguments', label: 'Arguments', type: 'pairs', hints: QUEUE_ARGUMENTS[values.type] },
    ],
    async submit(values) {
      const args = toObject(values.arguments);
      if (values.type !== 'default') args['x-queue-type'] = values.type;
      const durable = !['classic', 'default'].includes(values.type) || values.durable === 'true';
      await api.put(api.path('queues', values.vhost, values.name), { durable, auto_delete: false, arguments: args });
      toast(values.name ? `Queue ${values.name} is there` : 'The queue is there');
      if (values.name) done(values.vhost, values.name);
      else ctx.refresh();
    },
  });
}
