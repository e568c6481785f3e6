// Declares an exchange.

import * as api from '../lib/api.js';
import { vhostField, vhostNames } from './add-queue.js';
import { formDialog } from './dialog.js';
import { EXCHANGE_ARGUMENTS } from './hints.js';
import { toObject } from './pairs.js';
import { toast } from './toast.js';

export async function addExchange(ctx, done) {
  const [names, overview] = await Promise.all([vhostNames(), api.getOr({}, 'overview')]);
  const types = (overview.exchange_types ?? []).filter((type) => !type.internal_purpose).map((type) => type.name);
  return formDialog({
    title: 'Add an exchange',
    wide: true,
    action: 'Add exchange',
    values: { vhost: ctx.vhost || (names.includes('/') ? '/' : names[0]), type: 'direct', durable: 'true' },
    fields: () => [
      { name: 'name', label: 'Name', required: true },
      vhostField(names),
      { name: 'type', label: 'Type', type: 'select', options: types.length ? types : ['direct', 'fanout', 'headers', 'topic'] },
      { name: 'durable', label: 'Durability', type: 'select', options: [['true', 'Durable'], ['false', 'Transient']] },
      { name: 'auto_delete', label: 'Auto-delete', type: 'check', hint: 'Deleted when its last binding goes.' },
      { name: 'internal', label: 'Internal', type: 'check', hint: 'Only other exchanges may publish to it.' },
      { name: 'arguments', label: 'Arguments', type: 'pairs', hints: EXCHANGE_ARGUMENTS },
    ],
    async submit(values) {
      await api.put(api.path('exchanges', values.vhost, values.name), {
        type: values.type, durable: values.durable === 'true', auto_delete: values.auto_delete, internal: values.internal, arguments: toObject(values.arguments),
      });
      toast(`Exchange ${values.name} is there`);
      done(values.vhost, values.name);
    },
  });
}
