// Moves messages from the head of a queue through the HTTP API, for brokers that have no endpoint
// for it. Each message is copied (the broker confirms the copy) before it is taken, one at a time:
// a page that is closed half-way leaves at most one message twice, and none lost.

import * as api from './api.js';
import { Failure } from './api.js';

const TRACES = [/^x-death$/, /^x-(first|last)-death-/, /^x-delivery-count$/, /^x-acquired-count$/];

/** Whether a header was added by the broker on the message's way, not by who published it. */
export const isTrace = (name) => TRACES.some((trace) => trace.test(name));

/** Where a dead letter came from: the queue of its latest death, or null. */
export const origin = (message) => {
  const death = message.properties?.headers?.['x-death']?.[0];
  return death?.queue ? { queue: death.queue, reason: death.reason, exchange: death.exchange, keys: death['routing-keys'] ?? [], count: death.count } : null;
};

/** The same message, whichever request brought it. */
const mark = (message) => {
  const headers = { ...message.properties?.headers };
  // These two grow each time that a message is looked at.
  delete headers['x-delivery-count'];
  delete headers['x-acquired-count'];
  return JSON.stringify([message.exchange, message.routing_key, message.payload_bytes, message.payload, { ...message.properties, headers }]);
};

const read = (vhost, queue, ackmode) =>
  api.post(`${api.path('queues', vhost, queue)}/get`, { count: 1, ackmode, encoding: 'base64' }).then((messages) => messages[0]);

/** What JSON cannot carry whole, if anything: such a message stays where it is. */
export const unfit = (message) => {
  const texts = [message.exchange, message.routing_key];
  const reasons = [];
  const look = (value) => {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) reasons.push('a number that is not a small integer');
    else if (typeof value === 'string') texts.push(value);
    else if (value === null) reasons.push('a header without a value');
    else if (typeof value === 'object') Object.entries(value).forEach(([key, part]) => { texts.push(key); look(part); });
  };
  look(Array.isArray(message.properties) ? {} : { ...message.properties });
  const headers = message.properties?.headers ?? {};
  if ('CC' in headers || 'BCC' in headers) reasons.push('further routing keys');
  if (texts.some((text) => text?.includes('\uFFFD'))) reasons.push('text that is not UTF-8');
  return reasons[0] ?? null;
};

async function publish(vhost, exchange, routingKey, message, keepTraces) {
  const properties = Array.isArray(message.properties) ? {} : { ...message.properties };
  if (properties.headers && !keepTraces) {
    properties.headers = Object.fromEntries(Object.entries(properties.headers).filter(([name]) => !isTrace(name)));
  }
  const answer = await api.post(`${api.path('exchanges', vhost, exchange || 'amq.default')}/publish`, {
    properties, routing_key: routingKey, payload: message.payload, payload_encoding: 'base64',
  });
  return answer.routed;
}

async function putBack(vhost, queue, message) {
  try {
    if (!await publish(vhost, '', queue, message, true)) throw new Error('the queue is not there any more');
  } catch (error) {
    throw new Failure(409, `This message was taken from ${queue} and could not be put back (${error.message}). Keep it: ${JSON.stringify(message)}`);
  }
}

/** Carries the first `count` messages to the queue that `target(message)` names. Calls
 * `progress(done)`; throws with the reason when it has to stop early. Returns how many it moved. */
export async function carry({ vhost, queue, count, target, progress }) {
  const { consumers } = await api.get(api.path('queues', vhost, queue));
  if (consumers > 0) throw new Failure(409, `${queue} has consumers. Stop them first: two readers would get in each other’s way.`);
  for (let done = 0; done < count; done += 1) {
    const message = await read(vhost, queue, 'ack_requeue_true');
    if (!message) return done;
    const to = target(message);
    if (!to) throw new Failure(409, `The message at the head of ${queue} is not a dead letter, so it has nowhere to go back to.`);
    const reason = unfit(message);
    if (reason) throw new Failure(409, `The message at the head of ${queue} has ${reason}, which a browser cannot carry unchanged. ${done} moved before it.`);
    if (to === queue) throw new Failure(409, `The message came from ${queue} itself.`);
    if (!await publish(vhost, '', to, message)) throw new Failure(409, `Queue ${to} is not there any more. ${done} moved before that.`);
    const taken = await read(vhost, queue, 'ack_requeue_false');
    if (!taken || mark(taken) !== mark(message)) {
      if (taken) await putBack(vhost, queue, taken);
      throw new Failure(409, `Somebody else reads from ${queue} now, so moving was stopped after ${done}. One message may be in ${to} and in ${queue}.`);
    }
    progress?.(done + 1);
  }
  return count;
}

/** Moves all that is in a queue now: by a shovel where the broker has them, else by `carry`. */
export async function moveAll({ vhost, queue, to, count, progress }) {
  const uri = `amqp:///${encodeURIComponent(vhost)}`;
  try {
    await api.put(api.path('parameters', 'shovel', vhost, `Move from ${queue}`), {
      value: {
        'src-uri': uri, 'src-queue': queue, 'src-protocol': 'amqp091', 'src-prefetch-count': 1000, 'src-delete-after': 'queue-length',
        'dest-uri': uri, 'dest-queue': to, 'dest-protocol': 'amqp091', 'dest-add-forward-headers': false, 'ack-mode': 'on-confirm',
      },
    });
    return { shovel: true };
  } catch (error) {
    if (![400, 401, 404, 405].includes(error.status)) throw error;
  }
  return { moved: await carry({ vhost, queue, count, target: () => to, progress }) };
}
