// Going to anything by its name: pages, queues, exchanges, connections, of which the broker finds some.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import { exchangeName } from '../lib/format.js';
import { go, link } from '../lib/router.js';
import * as session from '../lib/session.js';
import { routes } from '../routes.js';
import { dialog } from './dialog.js';
import { icon } from './icons.js';

const TYPING_MS = 150;
const EACH = 6;

const KINDS = [
  { where: 'queues', glyph: 'queues', of: (row) => [row.name, row.vhost, link('queues', row.vhost, row.name)] },
  { where: 'exchanges', glyph: 'exchanges', of: (row) => [exchangeName(row.name), row.vhost, link('exchanges', row.vhost, row.name || 'amq.default')] },
  { where: 'connections', glyph: 'connections', of: (row) => [row.user_provided_name || row.name, row.user_provided_name ? row.name : row.vhost, link('connections', row.name)] },
];
const KEYS = 'name,vhost,user_provided_name';

/** Pages whose name has the words in it; all that there are for no words. */
const pages = (words) => routes
  .filter((route) => route.nav && session.may(route.may ?? 'management') && route.nav.toLowerCase().includes(words.toLowerCase()))
  .map((route) => ({ glyph: route.icon, name: route.nav, more: '', href: `#/${route.path}` }));

async function named(words, signal) {
  const lists = await Promise.all(KINDS.map(async ({ where, glyph, of }) => {
    const list = await api.getOr({ items: [] }, where + api.query({ page: 1, page_size: EACH, name: words, pagination: true, columns: KEYS }), { signal });
    return list.items.map(of).map(([name, more, href]) => ({ glyph, name, more, href }));
  }));
  return lists.flat();
}

export function find() {
  const state = { words: '', at: 0, found: pages(''), error: null, asking: null, timer: 0 };
  return dialog({
    title: 'Go to',
    wide: true,
    view: (close, redraw) => h('div', { class: 'finder', onunmount: () => stop(state) },
      h('input', {
        type: 'search',
        role: 'combobox',
        'aria-label': 'Name of a page, queue, exchange or connection',
        'aria-expanded': 'true',
        'aria-controls': 'finder-list',
        'aria-activedescendant': state.found.length ? `finder-${state.at}` : null,
        placeholder: 'Page, queue, exchange, connection…',
        autofocus: true,
        autocomplete: 'off',
        spellcheck: 'false',
        value: state.words,
        oninput: (event) => ask(state, event.target.value, redraw),
        onkeydown: (event) => press(state, event, close, redraw),
      }),
      h('ul', { role: 'listbox', id: 'finder-list', 'aria-label': 'Found' }, state.found.map((one, index) => option(one, index, state, close))),
      h('p', { class: 'muted', role: 'status' }, state.error ?? (state.found.length ? '' : `Nothing has “${state.words}” in its name.`))),
  });
}

const option = (one, index, state, close) =>
  h('li', { role: 'none', key: one.href },
    h('a', { role: 'option', id: `finder-${index}`, 'aria-selected': String(index === state.at), href: one.href, tabindex: '-1', onclick: () => close() }, icon(one.glyph), h('span', { class: 'break' }, one.name), h('small', { class: 'muted break' }, one.more)));

function stop(state) {
  clearTimeout(state.timer);
  state.asking?.abort();
}

function ask(state, words, redraw) {
  stop(state);
  Object.assign(state, { words, at: 0, error: null });
  if (words.trim() === '') {
    state.found = pages('');
    return redraw();
  }
  state.timer = setTimeout(async () => {
    const asking = new AbortController();
    state.asking = asking;
    try {
      const found = [...pages(words.trim()), ...await named(words.trim(), asking.signal)];
      if (!asking.signal.aborted) state.found = found;
    } catch (error) {
      if (!asking.signal.aborted) state.error = error.message;
    }
    if (!asking.signal.aborted) redraw();
  }, TYPING_MS);
  return undefined;
}

function press(state, event, close, redraw) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    state.at = (state.at + step + state.found.length) % (state.found.length || 1);
    redraw();
    document.getElementById(`finder-${state.at}`)?.scrollIntoView({ block: 'nearest' });
  } else if (event.key === 'Enter' && state.found[state.at]) {
    const { href } = state.found[state.at];
    close();
    go(href);
  }
}
