// Messages on their way from one queue to another: the broker carries them, the pages ask it to.

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

/** Moves the first `count` messages of a queue to another one. The broker does a part of a long move
 * at a time; `progress(moved)` is called after each. Returns how many moved. */
export async function moveAll({ vhost, queue, to, count, progress }) {
  let moved = 0;
  while (moved < count) {
    const part = await api.post(`${api.path('queues', vhost, queue)}/move`, { destination: to, count: count - moved }, { timeout: 60_000 });
    moved += part.moved;
    progress?.(moved);
    if (part.left.length) throw new Failure(409, `${moved} moved, then it stopped: ${part.left[0].reason}.`);
    if (part.moved === 0) break;
  }
  return moved;
}
