// The small parts that every page is made of.

import { h } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { link } from '../lib/router.js';
import * as session from '../lib/session.js';
import { copyButton } from './copy.js';
import { icon } from './icons.js';
import { pref, setPref } from '../lib/prefs.js';

const LONG_NAME = 48;

/** A page's head: where it hangs, what it is, what can be done with it. `copy` is a name to copy. */
export const head = ({ title, up, tags, actions, sub, copy }) =>
  h('header', { class: 'page-head' },
    h('div', { class: 'page-title' },
      up && h('nav', { class: 'crumbs', 'aria-label': 'Breadcrumb' }, h('a', { href: up.href }, icon('left'), up.label)),
      h('div', { class: 'title-line' }, h('h1', {}, breakable(title)), copy && copyButton(copy, 'Name'), tags && h('span', { class: 'title-tags' }, tags)),
      sub && h('p', { class: 'soft' }, sub)),
    actions && h('div', { class: 'page-actions' }, actions));

export const card = ({ title, actions, flush, key, note }, ...children) =>
  h('section', { class: flush ? 'card flush' : 'card', key },
    (title || actions) && h('header', { class: 'card-head' },
      h('h2', {}, title), note && h('span', { class: 'muted' }, note), actions && h('div', { class: 'card-actions' }, actions)),
    children);

/** A card that folds, and remembers it. */
export const fold = ({ id, title, note, open = false, flush }, ...children) =>
  h('details', {
    class: flush ? 'card fold flush' : 'card fold',
    key: id,
    id,
    open: pref(`fold.${id}`, open),
    ontoggle: (event) => setPref(`fold.${id}`, event.currentTarget.open),
  }, h('summary', {}, icon('right'), h('h2', {}, title), note !== undefined && h('span', { class: 'muted' }, note)),
  h('div', { class: 'fold-body' }, children));

/** Names and values. Rows whose value is undefined are left out. */
export const facts = (rows) =>
  h('dl', { class: 'facts' }, rows.filter((row) => row && row[1] !== undefined).map(([name, value]) =>
    h('div', { key: name }, h('dt', {}, name), h('dd', { class: 'break' }, value === null || value === '' ? h('span', { class: 'muted' }, format.NONE) : value))));

/** An object of arguments, properties or a policy's definition. */
export const table = (object) => {
  const rows = Object.entries(object ?? {});
  if (rows.length === 0) return h('span', { class: 'muted' }, 'none');
  return h('ul', { class: 'arguments' }, rows.map(([key, value]) =>
    h('li', { key }, h('span', { class: 'mono soft' }, key), ' ',
      value && typeof value === 'object' && !Array.isArray(value) ? table(value) : h('span', { class: 'mono break' }, format.value(value)))));
};

const TONES = { running: 'good', idle: '', flow: 'warn', blocked: 'bad', blocking: 'warn', down: 'bad', stopped: 'bad', crashed: 'bad', minority: 'bad', terminated: 'bad', closed: '', starting: 'warn', opening: 'warn' };

/** A state's word with a coloured dot; the word carries the meaning, the dot helps the eye. */
export const state = (word) =>
  word ? h('span', { class: `state ${TONES[word] ?? ''}` }, h('i', {}), word) : h('span', { class: 'muted' }, format.NONE);

export const tag = (label, title, tone = '') => h('span', { class: `tag ${tone}`, title }, label);

export const yesNo = (value) => (value ? h('span', { class: 'yes' }, icon('check'), h('span', { class: 'visually-hidden' }, 'yes')) : h('span', { class: 'muted', title: 'no' }, format.NONE));

export const empty = ({ title, text, action, iconName }) =>
  h('div', { class: 'empty' }, iconName && h('div', { class: 'empty-icon' }, icon(iconName)), h('p', { class: 'empty-title' }, title), text && h('p', { class: 'soft' }, text), action);

/** `whole` when it stands for a whole page. */
export const problem = ({ title, text, retry, up, whole: isPage }) =>
  h('div', { class: 'empty problem', role: 'alert' },
    h('div', { class: 'empty-icon' }, icon('deprecated')), h(isPage ? 'h1' : 'p', { class: 'empty-title' }, title), h('p', { class: 'soft break' }, text),
    h('div', { class: 'page-actions' }, up && h('a', { class: 'button', href: up.href }, up.label), retry && h('button', { class: 'button', onclick: retry }, 'Try again')));

export const skeleton = () =>
  h('div', { class: 'skeleton', role: 'status', 'aria-busy': 'true', 'aria-label': 'Loading' }, [60, 100, 100, 82, 100, 40].map((width) => h('i', { style: { width: `${width}%` } })));

export const stat = (label, value, href) =>
  h(href ? 'a' : 'div', { class: 'stat', href, key: label }, h('span', { class: 'stat-label' }, label), h('strong', {}, value));

export const button = (label, onclick, { tone = '', iconName, title, disabled } = {}) =>
  h('button', { class: `button ${tone}`, type: 'button', onclick, title, disabled: Boolean(disabled), key: label }, iconName && icon(iconName), label);

/** A name that may break after its separators (not those of an address's numbers), and within a word
 * only when nothing else helps. */
export const breakable = (name) =>
  String(name).split(/(?<=[._:/@-])(?=\p{L})|(?<=-> )/u).flatMap((part, index) => (index ? [h('wbr'), part] : part));

/** Where lists cut a name off, the pointer shows all of it. */
const whole = (name) => (name.length > LONG_NAME ? name : null);

/** A moment: how long ago, and exactly when on hover. */
export const time = (value) => {
  const exact = format.date(value);
  return exact === format.NONE ? exact : h('time', { datetime: new Date(value).toISOString(), title: exact }, format.ago(value, Date.now()));
};

/** A figure whose zero steps back, so that an eye finds what moves. */
export const figure = (value, show) => (value === 0 ? h('span', { class: 'zero' }, show(value)) : show(value));

export const queueLink = (vhost, name) => h('a', { href: link('queues', vhost, name), class: 'break', title: whole(name) }, breakable(name));
export const exchangeLink = (vhost, name) => h('a', { href: link('exchanges', vhost, name === '' ? 'amq.default' : name), class: 'break', title: whole(name) }, breakable(format.exchangeName(name)));
// Only administrators may look at these two; others read the name.
const administered = (place) => (name) =>
  (session.may('administrator') ? h('a', { href: link(place, name), class: 'break' }, breakable(name)) : h('span', { class: 'break' }, breakable(name)));
export const vhostLink = administered('vhosts');
export const userLink = administered('users');
export const connectionLink = (name, shown = name) => h('a', { href: link('connections', name), class: 'break' }, breakable(shown));
export const channelLink = (name, shown = name) => h('a', { href: link('channels', name), class: 'break' }, breakable(shown));

/** A bar against a limit, or of what is left when `tone` says how that is. */
export function meter(label, used, limit, shown, note, tone) {
  const part = limit > 0 ? Math.min(1, Math.max(0, used / limit)) : 0;
  const level = tone ?? (part > 0.9 ? 'bad' : part > 0.7 ? 'warn' : '');
  return h('div', { class: `meter ${level}`, key: label },
    h('div', { class: 'meter-words' }, h('span', { class: 'soft' }, label), h('strong', {}, shown)),
    h('div', { class: 'meter-bar', role: 'img', 'aria-label': `${label}: ${shown}, ${note}` }, h('i', { style: { width: `${part * 100}%` } })),
    h('small', { class: 'muted' }, note));
}
