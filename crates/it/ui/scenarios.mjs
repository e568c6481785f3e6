// What a person does in the management pages. Each scenario gets a page that is logged in as guest.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { objections } from './axe.mjs';
import { eventually, load, publish, rejectAll } from './broker.mjs';

const at = (queue) => `queues/%2F/${encodeURIComponent(queue)}`;
const tab = (page, name) => page.getByRole('navigation', { name: 'Parts of this page' }).getByRole('button', { name }).click();
const PAGES = [
  '', 'connections', 'channels', 'exchanges', 'exchanges/%2F/amq.topic', 'queues', 'stream/connections', 'users', 'users/guest', 'vhosts', 'vhosts/%2F',
  'policies', 'limits', 'definitions', 'feature-flags', 'deprecated-features', 'cluster-name',
];

/** Waits until the page that the address asks for has its data; two frames on, the old one is gone. */
const loaded = async (page) => {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.locator('main h1').waitFor();
};

const dialog = (page) => page.getByRole('dialog');

export const scenarios = {
  async 'a wrong password is refused in words, the right one opens the overview'({ page, open, logIn }) {
    await page.locator('summary[aria-label="User guest"]').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('User name').fill('guest');
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
    await logIn('guest', 'guest');
    await open('');
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  },

  async 'the chart of queued messages moves under load'({ page, open, api, amqp }) {
    await api('PUT', at('ui.load'), { durable: true });
    await open(at('ui.load'));
    const running = await load(amqp, 'ui.load');
    try {
      const chart = page.locator('[data-chart="queue.lengths"]');
      const line = chart.locator('path.line.c1');
      await line.waitFor({ timeout: 30_000 });
      const before = await line.getAttribute('d');
      await eventually('messages are counted', async () => /[1-9]/.test(await chart.locator('[data-series="messages_ready"]').innerText()));
      await eventually('the line moves', async () => (await line.getAttribute('d')) !== before);
    } finally {
      await running.stop();
    }
  },

  async 'the chart of message rates moves under load'({ page, open, api, amqp }) {
    await api('PUT', at('ui.load'), { durable: true });
    await open('');
    const rates = page.locator('[data-chart="overview.rates"]');
    const running = await load(amqp, 'ui.load');
    try {
      const line = rates.locator('path.line.c1');
      await line.waitFor({ timeout: 30_000 });
      const before = await line.getAttribute('d');
      await eventually('a publish rate', async () => /[1-9]/.test(await rates.locator('[data-series="publish"]').innerText()));
      await eventually('the line moves', async () => (await line.getAttribute('d')) !== before);
    } finally {
      await running.stop();
    }
  },

  async 'a queue is declared, published to, browsed and taken from'({ page, open, api }) {
    await open('queues');
    await page.getByRole('button', { name: 'Add queue' }).first().click();
    await dialog(page).getByLabel('Name').first().fill('ui.orders');
    await dialog(page).getByLabel('Type').selectOption('classic');
    await dialog(page).getByRole('button', { name: 'x-max-length', exact: true }).click();
    await dialog(page).getByLabel('Value of x-max-length').fill('100');
    await dialog(page).getByRole('button', { name: 'Add queue' }).click();
    await page.getByRole('heading', { name: /^ui\.orders/, level: 1 }).waitFor();
    assert.equal((await api('GET', at('ui.orders'))).arguments['x-max-length'], 100);

    await tab(page, 'Messages');
    await page.getByLabel('Payload', { exact: true }).fill('{"order":7,"account":12345678901234567890,"lines":[]}');
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await page.locator('.toast', { hasText: 'Published' }).waitFor();

    await page.getByRole('button', { name: 'Browse messages' }).click();
    await page.locator('.message pre', { hasText: '"order": 7' }).waitFor();
    assert.equal(await page.locator('.message pre').innerText(), '{\n  "order": 7,\n  "account": 12345678901234567890,\n  "lines": []\n}');
    await eventually('the browsed message is still there', async () => (await api('GET', at('ui.orders'))).messages === 1);

    await page.getByRole('button', { name: 'Take', exact: true }).click();
    await page.getByRole('button', { name: 'Take messages' }).click();
    await dialog(page).getByRole('button', { name: 'Take messages' }).click();
    await page.locator('.message pre', { hasText: '"order": 7' }).waitFor();
    await eventually('the taken message is gone', async () => (await api('GET', at('ui.orders'))).messages === 0);
  },

  async 'dead letters are re-driven to the queue they died in'({ page, open, api, amqp }) {
    await api('PUT', at('ui.dead'), { durable: true });
    await api('PUT', at('ui.work'), { durable: true, arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'ui.dead' } });
    await publish(amqp, 'ui.work', ['one', 'two', 'three']);
    await rejectAll(amqp, 'ui.work');
    await open(`${at('ui.dead')}?tab=messages`);
    await eventually('three dead letters', async () => (await api('GET', at('ui.dead'))).messages === 3);
    await page.getByRole('button', { name: 'Browse messages' }).click();
    await page.getByText('rejected in ui.work').first().waitFor();
    await page.getByLabel('Choose message 2').check();
    await page.getByRole('button', { name: 'Re-drive' }).click();
    await dialog(page).getByText('ui.work').waitFor();
    await dialog(page).getByRole('button', { name: 'Re-drive' }).click();
    await page.locator('.toast', { hasText: 're-driven' }).waitFor();
    const count = async (queue) => (await api('GET', at(queue))).messages;
    await eventually('only the chosen one left', async () => (await count('ui.work')) === 1 && (await count('ui.dead')) === 2);
    const back = await api('POST', `${at('ui.work')}/get`, { count: 10, ackmode: 'ack_requeue_true', encoding: 'auto' });
    assert.ok(back.some((message) => message.payload === 'two'), 'the chosen message went back');
    assert.ok(back.every((message) => !message.properties.headers?.['x-death']), 'its deaths are not counted on');
  },

  async 'the messages of a queue move to another'({ page, open, api, amqp }) {
    await api('PUT', at('ui.from'), { durable: true });
    await api('PUT', at('ui.to'), { durable: true });
    await publish(amqp, 'ui.from', ['1', '2', '3']);
    await eventually('three messages', async () => (await api('GET', at('ui.from'))).messages_ready === 3);
    await open(at('ui.from'));
    await page.getByRole('button', { name: 'Move' }).click();
    await dialog(page).getByLabel('To queue').fill('ui.nowhere');
    await dialog(page).getByRole('button', { name: 'Move messages' }).click();
    await dialog(page).getByRole('alert').filter({ hasText: 'no queue ui.nowhere' }).waitFor();
    await dialog(page).getByLabel('To queue').fill('ui.to');
    await dialog(page).getByRole('button', { name: 'Move messages' }).click();
    await eventually('all three moved', async () => (await api('GET', at('ui.to'))).messages === 3 && (await api('GET', at('ui.from'))).messages === 0);
  },

  async 'a queue is bound and the drawing shows it'({ page, open, api }) {
    await api('PUT', at('ui.bound'), { durable: true });
    await open(`${at('ui.bound')}?tab=bindings`);
    await page.getByRole('button', { name: 'Bind to an exchange' }).click();
    await dialog(page).getByLabel('From exchange').fill('amq.topic');
    await dialog(page).getByLabel('Routing key').fill('order.#');
    await dialog(page).getByRole('button', { name: 'Bind' }).click();
    await page.locator('.graph').getByText('amq.topic').waitFor();
    const row = page.getByRole('row', { name: /amq\.topic/ });
    await row.getByRole('button', { name: 'Unbind' }).click();
    await dialog(page).getByRole('button', { name: 'Unbind' }).click();
    await row.waitFor({ state: 'detached' });
  },

  async 'names are text, whatever they look like'({ page, open, api }) {
    const name = '<img src=x onerror=alert(1)>';
    await api('PUT', at(name), { durable: true });
    await open(at(name));
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    await open(`queues?name=${encodeURIComponent('<img')}`);
    await page.getByRole('link', { name }).waitFor();
    assert.equal(await page.locator('main img').count(), 0);
    await api('DELETE', at(name));
  },

  async 'a list is filtered, sorted and keeps its columns'({ page, open, api }) {
    for (const name of ['ui.list.a', 'ui.list.b', 'ui.other']) await api('PUT', at(name), { durable: true });
    await open('queues?name=ui.');
    await page.getByRole('link', { name: 'ui.other' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('ui.list');
    await page.getByRole('link', { name: 'ui.other' }).waitFor({ state: 'detached' });
    assert.deepEqual(await page.locator('tbody th').allInnerTexts(), ['ui.list.a', 'ui.list.b']);
    await page.getByRole('button', { name: 'Regular expression' }).click();
    await page.locator('[data-filter]').fill('^ui\\.(list\\.b|other)$');
    await page.getByRole('link', { name: 'ui.list.a' }).waitFor({ state: 'detached' });
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
    await eventually('sorted downwards', async () => (await page.locator('tbody th').allInnerTexts()).join() === 'ui.other,ui.list.b');
    await page.locator('summary[aria-label="Columns"]').click();
    await page.getByLabel('Consumers', { exact: true }).check();
    await page.reload();
    await page.getByRole('columnheader', { name: 'Consumers' }).waitFor();
    assert.equal(await page.locator('[data-filter]').inputValue(), '^ui\\.(list\\.b|other)$');
    await page.locator('summary[aria-label="Columns"]').click();
    await page.getByRole('button', { name: 'As delivered' }).click();
    for (const name of ['ui.list.a', 'ui.list.b', 'ui.other']) await api('DELETE', at(name));
  },

  async 'the overview says what needs attention, and which queues are fullest'({ page, open, api, amqp }) {
    await api('PUT', at('ui.backlog'), { durable: true });
    await publish(amqp, 'ui.backlog', Array.from({ length: 5000 }, () => 'waits'));
    await open('');
    const health = page.getByRole('region', { name: 'Health' });
    await eventually('nobody reads it', async () => {
      await page.keyboard.press('r');
      return (await health.innerText()).includes('ui.backlog');
    });
    const row = page.getByRole('table', { name: 'The fullest queues' }).getByRole('row', { name: /ui\.backlog/ });
    await row.getByText('nobody reads').waitFor();
    await row.getByText('5,000').waitFor();
    await page.getByRole('link', { name: 'All queues' }).click();
    await page.locator('th[aria-sort="descending"]', { hasText: 'Ready' }).waitFor();
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click();
    await api('DELETE', at('ui.backlog'));
  },

  async 'an alarm is the first thing that one sees'({ page, open }) {
    await page.route('**/api/nodes*', async (route) => {
      const response = await route.fetch();
      const [node, ...others] = await response.json();
      await route.fulfill({ response, json: [{ ...node, mem_alarm: true }, ...others] });
    });
    await open('queues');
    await page.reload();
    await page.getByRole('alert').filter({ hasText: 'Memory alarm' }).waitFor();
    await open('');
    const health = page.getByRole('region', { name: 'Health' });
    await health.getByText('Needs attention').waitFor();
    await health.getByRole('listitem').first().filter({ hasText: 'publishers are held back' }).waitFor();
    await page.unroute('**/api/nodes*');
    await page.keyboard.press('r');
    await health.getByText('All is well').waitFor();
  },

  async 'several queues are chosen, moved, purged and deleted at once'({ page, open, api, amqp }) {
    const names = ['ui.many.a', 'ui.many.b', 'ui.many.c'];
    for (const name of names) await api('PUT', at(name), { durable: true });
    await publish(amqp, 'ui.many.a', ['1', '2']);
    await eventually('two messages', async () => (await api('GET', at('ui.many.a'))).messages_ready === 2);
    await open('queues?name=ui.many');
    await page.getByLabel('Choose ui.many.a').check();
    await page.getByRole('link', { name: 'ui.many.c' }).focus();
    await page.keyboard.press('x');
    await page.getByText('2 queues chosen').waitFor();
    await page.getByRole('group', { name: 'Chosen' }).getByRole('button', { name: 'Move' }).click();
    await dialog(page).getByText('2 ready messages').waitFor();
    await dialog(page).getByLabel('To queue').fill('ui.many.b');
    await dialog(page).getByRole('button', { name: 'Move messages' }).click();
    await page.locator('.toast', { hasText: '2 moved' }).waitFor();
    await eventually('they are in the other', async () => (await api('GET', at('ui.many.b'))).messages === 2);

    await page.getByLabel('Choose ui.many.b').check();
    await page.getByLabel('Choose ui.many.c').check();
    await page.getByText('2 queues chosen').waitFor();
    await page.getByRole('group', { name: 'Chosen' }).getByRole('button', { name: 'Purge' }).click();
    await dialog(page).getByText('ui.many.c').waitFor();
    await dialog(page).getByRole('button', { name: 'Purge queues' }).click();
    await page.locator('.toast', { hasText: '2 purged' }).waitFor();
    await eventually('nothing is in it', async () => (await api('GET', at('ui.many.b'))).messages === 0);

    await page.getByLabel('Choose all on this page').check();
    await page.getByText('3 queues chosen').waitFor();
    await page.getByLabel('Choose ui.many.b').uncheck();
    await page.getByText('2 queues chosen').waitFor();
    await page.getByRole('group', { name: 'Chosen' }).getByRole('button', { name: 'Delete' }).click();
    await dialog(page).getByRole('button', { name: 'Delete queues' }).click();
    await page.getByRole('link', { name: 'ui.many.a' }).waitFor({ state: 'detached' });
    assert.deepEqual(await Promise.all(names.map(async (name) => Boolean(await api('GET', at(name))))), [false, true, false]);
    await api('DELETE', at('ui.many.b'));
  },

  async 'a drawing of many bindings begins with a few'({ page, open, api }) {
    await api('PUT', 'exchanges/%2F/ui.fan', { type: 'topic', durable: true, arguments: { 'alternate-exchange': 'amq.fanout' } });
    const names = Array.from({ length: 40 }, (_, index) => `ui.fan.${String(index).padStart(2, '0')}`);
    await api('POST', 'definitions', {
      queues: names.map((name) => ({ name, vhost: '/', durable: true, auto_delete: false, arguments: {} })),
      bindings: names.map((name) => ({ source: 'ui.fan', vhost: '/', destination: name, destination_type: 'queue', routing_key: `${name}.#`, arguments: {} })),
    });
    await open('exchanges/%2F/ui.fan');
    const drawing = page.getByRole('group', { name: 'Bindings of ui.fan' });
    await drawing.getByText('ui.fan.00.#').waitFor();
    assert.equal(await drawing.getByRole('link').count(), 11);
    await drawing.getByRole('button', { name: 'Show 30 more' }).click();
    await drawing.getByText('ui.fan.39.#').waitFor();
    await drawing.getByText('if nothing matches').waitFor();
    await drawing.getByRole('link', { name: 'amq.fanout' }).waitFor();
    await api('DELETE', 'exchanges/%2F/ui.fan');
    for (const name of names) await api('DELETE', at(name));
  },

  async 'anything is found by its name, and walked to by keys alone'({ page, open, api }) {
    for (const name of ['ui.keys.a', 'ui.keys.b']) await api('PUT', at(name), { durable: true });
    await open('');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('ui.keys');
    await dialog(page).getByRole('option', { name: 'ui.keys.b' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'ui.keys.b', level: 1 }).waitFor();

    await page.keyboard.press('g');
    await page.keyboard.press('q');
    await page.getByRole('heading', { name: 'Queues and streams', level: 1 }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('ui.keys');
    await page.getByText('2 of').waitFor();
    await page.getByRole('link', { name: 'ui.keys.a' }).focus();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'ui.keys.b', level: 1 }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main', 'the row that was followed has gone, the page has the focus');

    await page.reload();
    await page.getByRole('heading', { name: 'ui.keys.b', level: 1 }).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.innerText), 'Skip to the page');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    for (const name of ['ui.keys.a', 'ui.keys.b']) await api('DELETE', at(name));
  },

  async 'a name is copied'({ page, open, api }) {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await api('PUT', at('ui.copied'), { durable: true });
    await open(at('ui.copied'));
    await page.getByRole('button', { name: 'Copy name' }).click();
    await page.locator('.toast', { hasText: 'copied' }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'ui.copied');
  },

  async 'what was shown stays while the broker cannot be reached'({ page, open }) {
    await open('exchanges');
    const topic = page.getByRole('link', { name: 'amq.topic' }).first();
    await topic.waitFor();
    await page.route('**/api/**', (route) => route.abort());
    await page.keyboard.press('r');
    await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor();
    assert.ok(await topic.isVisible());
    await page.unroute('**/api/**');
    await page.keyboard.press('r');
    await page.getByRole('alert').waitFor({ state: 'detached' });
  },

  async 'definitions go out as a file and come in with progress'({ page, open, api }) {
    await open('definitions');
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download definitions' }).click()]);
    assert.ok(JSON.parse(await readFile(await download.path(), 'utf8')).queues);
    const queues = Array.from({ length: 250 }, (_, index) => ({ name: `ui.import.${index}`, vhost: '/', durable: true, auto_delete: false, arguments: {} }));
    const bindings = [{ source: 'amq.direct', vhost: '/', destination: 'ui.import.0', destination_type: 'queue', routing_key: 'key', arguments: {} }];
    await page.locator('#import-file').setInputFiles({ name: 'definitions.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify({ queues, bindings })) });
    await page.getByRole('button', { name: 'Import definitions' }).click();
    await page.getByText('All 251 definitions are imported.').waitFor();
    assert.ok(await api('GET', at('ui.import.249')));
    assert.equal((await api('GET', `${at('ui.import.0')}/bindings`)).length, 2);
    for (const { name } of queues) await api('DELETE', at(name));
  },

  async 'a policy is added with the help of hints and deleted'({ page, open, api }) {
    await open('policies');
    await page.getByRole('button', { name: 'Add policy' }).click();
    await dialog(page).getByLabel('Name').first().fill('ui.policy');
    await api('PUT', at('ui.matched'), { durable: true });
    await dialog(page).getByLabel('Pattern').fill('^ui\\.');
    await dialog(page).getByText(/^Matches \d+ queues?.*: ui\./).waitFor();
    await dialog(page).getByLabel('Applies to').selectOption('queues');
    await dialog(page).getByRole('button', { name: 'max-length', exact: true }).click();
    await dialog(page).getByLabel('Value of max-length').fill('many');
    await dialog(page).getByRole('button', { name: 'Add policy' }).click();
    await dialog(page).getByRole('alert').filter({ hasText: 'max-length must be a number' }).waitFor();
    await dialog(page).getByLabel('Value of max-length').fill('1000');
    await dialog(page).getByRole('button', { name: 'Add policy' }).click();
    const row = page.getByRole('row', { name: /ui\.policy/ });
    await row.waitFor();
    assert.deepEqual((await api('GET', 'policies/%2F/ui.policy')).definition, { 'max-length': 1000 });
    await row.getByRole('button', { name: 'Delete' }).click();
    await dialog(page).getByText('ui.policy').first().waitFor();
    await dialog(page).getByRole('button', { name: 'Delete' }).click();
    await row.waitFor({ state: 'detached' });
  },

  async 'a user is added, given a permission, and sees only what its tags show'({ page, open, api, logIn }) {
    await open('users');
    await page.getByRole('button', { name: 'Add user' }).click();
    await dialog(page).getByLabel('Name').first().fill('ui.user');
    await dialog(page).getByLabel(/^Password \*$/).fill('secret');
    await dialog(page).getByLabel(/^Password, again/).fill('secret');
    await dialog(page).getByLabel('Tags').fill('management');
    await dialog(page).getByRole('button', { name: 'Add user' }).click();
    await page.getByRole('heading', { name: 'ui.user', level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Set permission' }).click();
    await dialog(page).getByLabel('Virtual host').fill('/');
    await dialog(page).getByRole('button', { name: 'Set permission' }).click();
    await page.getByRole('row', { name: /\.\*/ }).waitFor();

    await page.locator('summary[aria-label="User guest"]').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await logIn('ui.user', 'secret');
    const nav = page.getByRole('navigation', { name: 'Pages' });
    await nav.getByRole('link', { name: 'Queues and streams' }).waitFor();
    assert.equal(await nav.getByRole('link', { name: 'Users' }).count(), 0);
    await open('users');
    await page.getByRole('alert').filter({ hasText: 'Not for this user' }).waitFor();
    await page.locator('summary[aria-label="User ui.user"]').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await logIn('guest', 'guest');
    await api('DELETE', 'users/ui.user');
  },

  async 'Esc closes a dialog and nothing happened'({ page, open, api }) {
    await api('PUT', at('ui.kept'), { durable: true });
    await open(at('ui.kept'));
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog(page).getByText('ui.kept').first().waitFor();
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    assert.ok(await api('GET', at('ui.kept')));
  },

  async 'a queue is deleted after its name was read'({ page, open, api }) {
    await api('PUT', at('ui.gone'), { durable: true });
    await open(at('ui.gone'));
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog(page).getByRole('heading', { name: 'Delete ui.gone?' }).waitFor();
    await dialog(page).getByRole('button', { name: 'Delete queue' }).click();
    await page.getByRole('heading', { name: 'Queues and streams', level: 1 }).waitFor();
    assert.equal(await api('GET', at('ui.gone')), null);
    await open(at('ui.gone'));
    await page.getByRole('alert').filter({ hasText: 'does not exist' }).waitFor();
  },

  async 'every page fits a phone, and a desk at twice the size'({ page, open }) {
    for (const width of [400, 640]) {
      await page.setViewportSize({ width, height: 800 });
      for (const address of PAGES) {
        await open(address);
        await loaded(page);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(over <= 0, `#/${address} is ${over} px too wide at ${width}`);
      }
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  },

  async 'every page can be read and operated by everybody, light and dark'({ page, open, api, amqp }) {
    await api('PUT', at('ui.seen'), { durable: true, arguments: { 'x-max-length': 100 } });
    await publish(amqp, 'ui.seen', ['{"one": 1}']);
    const addresses = [...PAGES, at('ui.seen'), ...['messages', 'bindings', 'consumers'].map((name) => `${at('ui.seen')}?tab=${name}`), at('ui.not-there')];
    const found = [];
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const address of addresses) {
        await open(address);
        await loaded(page);
        found.push(...(await objections(page)).map((one) => `${colorScheme} #/${address} ${one}`));
      }
      await open('queues');
      await page.getByRole('button', { name: 'Add queue' }).first().click();
      await dialog(page).waitFor();
      found.push(...(await objections(page)).map((one) => `${colorScheme} dialog ${one}`));
      await page.keyboard.press('Escape');
    }
    assert.deepEqual(found, []);
  },
};
