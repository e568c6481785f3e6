// What stands around every page.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import * as session from '../lib/session.js';
import { REFRESH_CHOICES } from '../lib/live.js';
import { pref, setPref, setTheme } from '../lib/prefs.js';
import { help } from '../lib/keys.js';
import { link } from '../lib/router.js';
import { GROUPS, routes } from '../routes.js';
import { find } from './finder.js';
import { icon } from './icons.js';
import { closeMenu, leaveMenu } from './table.js';

export function frame(app, content) {
  return h('div', { class: app.menuOpen ? 'frame menu-open' : 'frame', key: 'frame' },
    h('a', { class: 'skip', href: '#main', onclick: skip }, 'Skip to the page'),
    side(app),
    bar(app),
    h('div', {},
      banners(app),
      h('main', { class: 'page', id: 'main', tabindex: '-1', key: app.address, onmount: (main) => takeFocus(app, main) }, content)),
    h('button', { class: 'veil', 'aria-label': 'Close the menu', tabindex: '-1', onclick: () => toggleMenu(app) }));
}

let first = true;

/** What had the focus may have gone with the page before: keys go on from the new one then. A first
 * page leaves it to the browser, so that the way past the navigation comes first. */
function takeFocus(app, main) {
  if (app.address === undefined) return;
  if (!first && document.activeElement === document.body) main.focus({ preventScroll: true });
  first = false;
}

function skip(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}

const toggleMenu = (app) => {
  app.menuOpen = !app.menuOpen;
  app.redraw();
};

function side(app) {
  const { overview } = app.around;
  return h('aside', { class: 'side', id: 'menu' },
    h('a', { class: 'brand', href: '#/' }, h('img', { src: 'favicon.svg', alt: '' }),
      h('span', {}, 'Leveret', h('small', { class: 'break' }, overview?.cluster_name ?? ''))),
    h('button', { class: 'find', type: 'button', onclick: find, 'aria-keyshortcuts': 'Control+K' }, icon('search'), 'Go to…', h('kbd', { 'aria-hidden': 'true' }, 'Ctrl K')),
    h('nav', { 'aria-label': 'Pages' }, GROUPS.map((group) => navGroup(app, group))),
    h('div', { class: 'side-foot' },
      h('a', { href: 'api/index.html', target: '_blank', rel: 'noopener' }, overview?.rabbitmq_version ? `HTTP API of RabbitMQ ${overview.rabbitmq_version}` : 'HTTP API')));
}

function navGroup(app, group) {
  const entries = routes.filter((route) => route.group === group && session.may(route.may ?? 'management'));
  if (entries.length === 0) return null;
  return h('div', { class: 'nav-group', key: group }, h('h2', {}, group), entries.map((route) =>
    h('a', {
      href: `#/${route.path}`,
      key: route.path,
      'aria-current': app.route && (app.route === route || app.route.under === route.path) ? 'page' : null,
    }, icon(route.icon), route.nav,
    route.path === 'deprecated-features' && app.around.deprecated?.length > 0 &&
      h('span', { class: 'tag warn mark', title: 'Deprecated features in use' }, String(app.around.deprecated.length)))));
}

function bar(app) {
  return h('header', { class: 'bar' },
    h('button', { class: 'button plain icon menu-button', type: 'button', 'aria-label': 'Menu', 'aria-expanded': String(app.menuOpen), 'aria-controls': 'menu', onclick: () => toggleMenu(app) }, icon('menu')),
    vhostChoice(app),
    h('span', { class: 'push' }),
    liveness(app),
    h('label', { class: 'bar-field' }, h('span', {}, 'Refresh'),
      h('select', {
        'aria-label': 'Refresh every',
        value: String(pref('refresh', 5)),
        onchange: (event) => {
          setPref('refresh', Number(event.target.value));
          app.open?.reschedule();
          app.redraw();
        },
      }, REFRESH_CHOICES.map(([seconds, label]) => h('option', { value: String(seconds), selected: seconds === pref('refresh', 5) }, label)))),
    h('button', { class: 'button plain icon', type: 'button', 'aria-label': 'Refresh now', title: 'Refresh now (r)', onclick: app.reload }, icon('refresh')),
    userMenu(app));
}

function vhostChoice(app) {
  const names = app.around.vhosts ?? [];
  const chosen = names.includes(pref('vhost', '')) ? pref('vhost', '') : '';
  if (app.around.vhosts && chosen !== pref('vhost', '')) setPref('vhost', '');
  return h('label', { class: 'bar-field' }, h('span', {}, 'Virtual host'),
    h('select', {
      'aria-label': 'Virtual host',
      value: chosen,
      onchange: (event) => {
        setPref('vhost', event.target.value);
        app.open?.refresh();
        app.redraw();
      },
    }, h('option', { value: '', selected: chosen === '' }, 'All vhosts'), names.map((name) => h('option', { value: name, key: name, selected: name === chosen }, name))));
}

function liveness(app) {
  const ctx = app.open;
  const failing = Boolean(ctx?.error);
  const paused = pref('refresh', 5) === 0;
  return h('span', { class: `live ${failing ? 'failing' : paused ? 'paused' : ''}`, title: failing ? ctx.error.message : paused ? 'Refresh is off' : 'Last refresh' },
    h('i', { class: 'pulse' }), h('span', { class: 'when' }, ctx?.at ? format.clock(ctx.at) : ''));
}

function userMenu(app) {
  const theme = pref('theme', 'auto');
  return h('details', { class: 'menu', onkeydown: closeMenu, onfocusout: leaveMenu },
    h('summary', { class: 'button plain', 'aria-label': `User ${session.userName()}` }, icon('users'), h('span', { class: 'wide-only user-name' }, session.userName())),
    h('div', { class: 'menu-body' },
      h('p', { class: 'menu-who' }, h('strong', { class: 'break' }, session.userName()), h('span', { class: 'muted' }, (session.current()?.tags ?? []).join(', ') || 'no tags')),
      h('div', { class: 'segments', role: 'group', 'aria-label': 'Theme' }, [['light', 'sun', 'Light'], ['dark', 'moon', 'Dark'], ['auto', 'auto', 'As the system']].map(([id, glyph, label]) =>
        h('button', {
          type: 'button',
          class: theme === id ? 'on' : '',
          'aria-pressed': String(theme === id),
          title: label,
          onclick: () => {
            setTheme(id);
            app.redraw();
          },
        }, icon(glyph), h('span', { class: 'visually-hidden' }, label)))),
      h('button', { class: 'menu-item', type: 'button', onclick: help }, icon('keys'), 'Keys'),
      h('button', {
        class: 'menu-item',
        type: 'button',
        onclick: async () => {
          await api.logout();
          app.leave();
        },
      }, icon('logout'), 'Log out')));
}

function banners(app) {
  // The overview has these among all that needs attention.
  const nodes = app.route?.path === '' ? [] : app.around.nodes ?? [];
  const alarm = (key, words) => {
    const names = nodes.filter((node) => node[key]).map((node) => node.name);
    return names.length > 0 && h('div', { class: 'banner bad', role: 'alert', key }, icon('deprecated'),
      h('span', {}, `${words} on ${names.join(', ')}: publishers are held back. `, h('a', { href: link('nodes', names[0]) }, 'Look at the node')));
  };
  const ctx = app.open;
  const down = nodes.filter((node) => node.running === false).map((node) => node.name);
  return h('div', { key: 'banners' },
    ctx?.error && ctx.data !== undefined && h('div', { class: 'banner bad', role: 'alert', key: 'stale' }, icon('deprecated'),
      h('span', {}, ctx.error.status === 404 ? 'What this page shows is no longer there.' : `What you see is from ${format.clock(ctx.at)}. ${ctx.error.message}`)),
    alarm('mem_alarm', 'Memory alarm'),
    alarm('disk_free_alarm', 'Disk alarm'),
    down.length > 0 && h('div', { class: 'banner bad', role: 'alert', key: 'down' }, icon('deprecated'), `Not running: ${down.join(', ')}`));
}
