// The broker beside the pages: what tests prepare and check without the browser.

import amqp from 'amqplib';

/** The HTTP API at `base`, as user guest. */
export const httpApi = (base) => async (method, path, body) => {
  const response = await fetch(new URL(`api/${path}`, base), {
    method,
    headers: { authorization: `Basic ${btoa('guest:guest')}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok && response.status !== 404) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return response.status === 404 ? null : text && JSON.parse(text);
};

/** Publishes to `queue` until `stop` is called: 50 messages a second, confirmed. */
export async function load(url, queue) {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();
  const timer = setInterval(() => channel.sendToQueue(queue, Buffer.from('load')), 20);
  return {
    async stop() {
      clearInterval(timer);
      await channel.waitForConfirms();
      await connection.close();
    },
  };
}

/** Publishes `bodies` to `queue` and waits for the confirms. */
export async function publish(url, queue, bodies) {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

/** Takes what is in `queue` and rejects it, so that it is dead-lettered. */
export async function rejectAll(url, queue) {
  const connection = await amqp.connect(url);
  const channel = await connection.createChannel();
  for (let message = await channel.get(queue); message; message = await channel.get(queue)) channel.reject(message, false);
  await channel.close();
  await connection.close();
}

/** Tries `probe` until it gives something true; fails after half a minute. */
export async function eventually(what, probe) {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within 30 seconds: ${what}`);
}
