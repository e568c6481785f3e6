// Publishes one message.

import * as api from '../lib/api.js';
import { fold } from './bits.js';
import { formBody } from './form.js';
import { PROPERTIES } from './hints.js';
import { toObject } from './pairs.js';
import { toast } from './toast.js';

/** A form that publishes to `exchange`; for a queue through the default exchange. */
export function publishForm(ctx, { vhost, exchange, routingKey, open }) {
  const state = ctx.keep('publish', () => ({ values: { routing_key: routingKey ?? '', delivery_mode: '2', payload_encoding: 'string' } }));
  return fold({ id: 'publish', title: 'Publish a message', open }, formBody({
    inline: true,
    state,
    redraw: ctx.redraw,
    action: 'Publish',
    fields: () => [
      routingKey === undefined && { name: 'routing_key', label: 'Routing key' },
      { name: 'delivery_mode', label: 'Delivery mode', type: 'select', options: [['2', 'Persistent'], ['1', 'Not persistent']] },
      { name: 'payload_encoding', label: 'Payload is', type: 'select', options: [['string', 'Text'], ['base64', 'Base64']] },
      { name: 'payload', label: 'Payload', type: 'area', rows: 5 },
      { name: 'headers', label: 'Headers', type: 'pairs' },
      { name: 'properties', label: 'Properties', type: 'pairs', hints: PROPERTIES.filter((hint) => hint.key !== 'delivery_mode') },
    ],
    async submit(values) {
      const answer = await api.post(`${api.path('exchanges', vhost, exchange || 'amq.default')}/publish`, {
        routing_key: values.routing_key,
        payload: values.payload,
        payload_encoding: values.payload_encoding,
        properties: { ...toObject(values.properties), delivery_mode: Number(values.delivery_mode), headers: toObject(values.headers) },
      });
      if (answer.routed) toast('Published');
      else toast('Published, but no queue took it: no binding matches this routing key.', 'warn');
      ctx.refresh();
    },
  }));
}
