// Starts the pages: session, frame, and the page that the address names.

import * as api from './lib/api.js';
import * as session from './lib/session.js';
import { render } from './lib/dom.js';
import { openPage } from './lib/live.js';
import { here } from './lib/router.js';
import { routes } from './routes.js';
import { listenForKeys } from './lib/keys.js';
import { closeAll } from './parts/dialog.js';
import { frame } from './parts/frame.js';
import { login } from './parts/login.js';
import { problem, skeleton } from './parts/bits.js';

const SURROUNDINGS_MS = 30_000;

const app = {
  host: document.getElementById('app'),
  open: null,
  route: null,
  page: null,
  around: {},
  menuOpen: false,
  loginNote: null,
  redraw: schedule,
  reload: () => app.open?.refresh(),
  leave,
};

let scheduled = false;
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

function draw() {
  if (!session.token()) return render(app.host, login({ note: app.loginNote, redraw: schedule, done: enter }));
  return render(app.host, frame(app, content()));
}

function content() {
  if (!app.route) return problem({ whole: true, title: 'No such page', text: 'This address names no page here.' });
  const ctx = app.open;
  if (!ctx) return app.failed ? problem({ whole: true, title: 'The page did not load', text: app.failed, retry: navigate }) : skeleton();
  if (ctx.data === undefined && !ctx.error) return skeleton();
  if (ctx.data === undefined) return failure(ctx);
  return app.page.view(ctx);
}

function failure(ctx) {
  const words = {
    0: ['No connection', ctx.error.message],
    401: ['Not for this user', 'Your user’s tags or permissions do not include this page.'],
    404: [`${app.page.title(ctx)} is not there`, 'It does not exist, or is in a vhost that you may not see.'],
  }[ctx.error.status] ?? ['The page could not be shown', ctx.error.message];
  const list = routes.find((route) => route.path === app.route.under);
  return problem({ whole: true, title: words[0], text: words[1], retry: () => ctx.refresh(), up: list && { href: `#/${list.path}`, label: list.nav } });
}

/** Opens the page for the address in the browser. */
async function navigate() {
  closePage();
  app.menuOpen = false;
  if (!session.token()) return schedule();
  const { route, params, query, address } = here();
  app.route = route;
  app.address = address;
  app.failed = null;
  schedule();
  if (!route) return undefined;
  try {
    const { default: page } = await route.page();
    if (app.address !== address || app.open) return undefined;
    app.page = page;
    app.open = openPage({ page, params, query, around: app.around, redraw: schedule });
    document.title = [page.title(app.open), app.around.overview?.cluster_name].filter(Boolean).join(' · ');
    window.scrollTo(0, 0);
  } catch (error) {
    app.failed = error.message;
  }
  return schedule();
}

function closePage() {
  closeAll();
  app.open?.close();
  app.open = null;
}

/** What stands around every page: vhosts to choose from, the cluster's name, alarms. */
async function surroundings() {
  if (!session.token()) return;
  const [overview, vhosts, nodes, deprecated] = await Promise.all([
    api.getOr(null, 'overview').catch(() => null),
    api.getOr(null, 'vhosts?columns=name').catch(() => null),
    session.may('monitoring') ? api.getOr([], 'nodes?columns=name,running,mem_alarm,disk_free_alarm').catch(() => null) : [],
    api.getOr([], 'deprecated-features/used').catch(() => null),
  ]);
  const found = { overview, vhosts: vhosts?.map((vhost) => vhost.name), nodes, deprecated };
  for (const [name, value] of Object.entries(found)) if (value) app.around[name] = value;
  schedule();
}

async function enter() {
  app.loginNote = null;
  if (here().address === 'login') history.replaceState(null, '', '#/');
  surroundings();
  await navigate();
}

function leave(note = null) {
  session.end();
  closePage();
  for (const name of Object.keys(app.around)) delete app.around[name];
  app.loginNote = note;
  schedule();
}

api.onLoggedOut.handler = () => leave('Your session has ended. Log in again to go on.');
window.addEventListener('hashchange', navigate);
listenForKeys(app);
setInterval(() => document.hidden || surroundings(), SURROUNDINGS_MS);

if (session.token()) {
  api.get('whoami').then(session.renew, () => {}).then(enter);
  schedule();
} else {
  schedule();
}
