// Drives the management pages in a real browser:
//     node run.mjs HTTP_URL AMQP_URL [--only PART_OF_A_NAME] [--without PART_OF_A_NAME]
// Runs against Leveret and against a RabbitMQ that these pages are served in front of. Needs
// Chromium (Debian: apt-get install chromium) and user guest with password guest.

import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { httpApi } from './broker.mjs';
import { scenarios } from './scenarios.mjs';

const { values: { only, without }, positionals: [base = 'http://localhost:15672/', amqp = 'amqp://localhost'] } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, without: { type: 'string', multiple: true, default: [] } },
});
const WAIT_MS = 15_000;
const PICTURES = process.env.PICTURES ?? '/tmp/management-pages';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const api = httpApi(base);
let failed = 0;

for (const [name, scenario] of Object.entries(scenarios)) {
  if (!name.includes(only) || without.some((part) => name.includes(part))) continue;
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const troubles = [];
  watch(page, troubles);
  const started = Date.now();
  try {
    const open = async (address) => {
      await page.goto(`${base}#/${address}`);
      await page.locator('.frame').waitFor();
    };
    const logIn = async (user, password) => {
      await page.getByLabel('User name').fill(user);
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Log in' }).click();
      await page.locator('.frame').waitFor();
    };
    await page.goto(base);
    await logIn('guest', 'guest');
    await scenario({ page, open, logIn, api, amqp });
    if (troubles.length) throw new Error(troubles.join('\n'));
    console.log(`ok    ${name} (${Date.now() - started} ms)`);
  } catch (error) {
    failed += 1;
    await mkdir(PICTURES, { recursive: true });
    await page.screenshot({ path: `${PICTURES}/${failed}.png` }).catch(() => {});
    console.log(`FAIL  ${name}\n${error.stack}\n      picture: ${PICTURES}/${failed}.png`);
  }
  await context.close();
}

await removeLeftovers();
await browser.close();
process.exit(failed ? 1 : 0);

/** What no page may do: throw, write an error of its own, break its content-security policy, ask. */
function watch(page, troubles) {
  page.on('pageerror', (error) => troubles.push(`the page threw: ${error.stack}`));
  page.on('dialog', (box) => {
    troubles.push(`a script of somebody else ran: ${box.message()}`);
    box.dismiss();
  });
  page.on('console', (message) => {
    // The browser reports each refused request itself; pages ask for what may not be there.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) troubles.push(`console: ${message.text()}`);
  });
}

async function removeLeftovers() {
  for (const { name } of await api('GET', 'queues/%2F?columns=name')) {
    if (name.startsWith('ui.')) await api('DELETE', `queues/%2F/${encodeURIComponent(name)}`);
  }
}
