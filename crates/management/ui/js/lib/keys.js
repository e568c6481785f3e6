// Keys that work on every page.

import { h } from './dom.js';
import { go } from './router.js';
import { token } from './session.js';
import { dialog } from '../parts/dialog.js';
import { find } from '../parts/finder.js';

const PLACES = { o: '#/', c: '#/connections', h: '#/channels', e: '#/exchanges', q: '#/queues', u: '#/users', v: '#/vhosts', p: '#/policies', d: '#/definitions' };
const CHORD_MS = 1200;

const HELP = [
  ['Ctrl K', 'Go to a page, queue, exchange or connection by its name'],
  ['/', 'Filter the list'],
  ['r', 'Refresh now'],
  ['j k', 'Next and previous row of a table, also by arrow keys'],
  ['x', 'Choose the row, where rows can be chosen'],
  ['Esc', 'Close a dialog or a menu, leave a field'],
  ['g then o', 'Overview'],
  ['g then c', 'Connections'],
  ['g then h', 'Channels'],
  ['g then e', 'Exchanges'],
  ['g then q', 'Queues and streams'],
  ['g then u, v, p, d', 'Users, virtual hosts, policies, definitions'],
  ['?', 'This list'],
];

const typing = (target) => target.matches?.('input, select, textarea, [contenteditable]');

export function listenForKeys(app) {
  let going = 0;
  document.addEventListener('keydown', (event) => {
    if (!token() || document.querySelector('dialog[open]')) return;
    if (event.key === 'k' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      find();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && app.menuOpen) {
      app.menuOpen = false;
      app.redraw();
    }
    if (typing(event.target)) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    const place = Date.now() - going < CHORD_MS && PLACES[event.key];
    going = event.key === 'g' ? Date.now() : 0;
    if (place) go(place);
    else if (event.key === '/') focusFilter(event);
    else if (event.key === 'r') app.reload();
    else if (event.key === '?') help();
  });
}

function focusFilter(event) {
  const field = document.querySelector('[data-filter]');
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
}

export const help = () => dialog({
  title: 'Keys',
  view: () => h('dl', { class: 'facts keys' }, HELP.map(([keys, does]) =>
    h('div', {}, h('dt', {}, keys.split(' ').map((key) => (['then'].includes(key) ? ` ${key} ` : h('kbd', {}, key.replace(',', ''))))), h('dd', {}, does)))),
});
