// Tables: sortable heads, a column chooser that is remembered, rows that arrow keys walk over, and
// cards instead of rows on a phone.

import { h } from '../lib/dom.js';
import { pref, setPref } from '../lib/prefs.js';
import { icon } from './icons.js';
import { empty } from './bits.js';
import { NONE } from '../lib/format.js';

/** The columns to show. A column is `{id, title, cell(row), num, sort, hidden, fixed, when(ctx),
 * inline}`: `when` says whether it is worth showing unless the reader chose, `inline` that a phone
 * shows it without its title. */
export const shownColumns = (ctx, id, columns) => columns.filter((column) => column.fixed || isShown(ctx, id, column));

const isShown = (ctx, id, column) => pref(`columns.${id}`, {})[column.id] ?? (!column.hidden && (column.when?.(ctx) ?? true));

/** More columns than this are scrolled sideways on any screen. */
const SIDEWAYS = 13;

/** A table. `sorting` is `{by, down, set(by, down)}`; the first column is the row's name. A `tight`
 * one has so few columns that a phone shows it as a table as well. */
export function dataTable({ columns, rows, rowKey, sorting, caption, none, tight }) {
  if (rows.length === 0 && none) return none;
  const head = columns.find((column) => column.id !== 'choice');
  return h('div', { class: columns.length > SIDEWAYS ? 'table-wrap sideways' : 'table-wrap' },
    sorting && rows.length > 1 && phoneSort(columns, sorting),
    h('table', { class: tight ? 'table tight' : 'table', onkeydown: walk },
      caption && h('caption', { class: 'visually-hidden' }, caption),
      h('thead', {}, h('tr', {}, columns.map((column) => headCell(column, sorting)))),
      h('tbody', {}, rows.map((row) =>
        h('tr', { key: rowKey(row) }, columns.map((column) => bodyCell(column, row, column === head)))))));
}

function bodyCell(column, row, heads) {
  const content = column.cell(row);
  const kinds = [column.num && 'num', column.class, column.inline && 'inline', (content === NONE || content === false) && 'blank'];
  return h(heads ? 'th' : 'td', {
    key: column.id,
    class: kinds.filter(Boolean).join(' ') || null,
    scope: heads ? 'row' : null,
    'data-label': typeof column.title === 'string' ? column.title : '',
  }, content);
}

/** A phone has no heads to click on. */
const phoneSort = (columns, sorting) => h('label', { class: 'phone-sort' }, 'Sorted by',
  h('select', { onchange: (event) => sorting.set(...JSON.parse(event.target.value)) },
    columns.filter((column) => column.sort && column.title).flatMap((column) => [false, true].map((down) =>
      h('option', { value: JSON.stringify([column.sort, down]), key: `${column.id}${down}`, selected: sorting.by === column.sort && sorting.down === down },
        `${column.title} ${down ? '↓' : '↑'}`)))));

function headCell(column, sorting) {
  const sorted = sorting && column.sort && sorting.by === column.sort;
  return h('th', {
    key: column.id,
    scope: 'col',
    class: column.num ? 'num' : column.head ? column.class : null,
    'aria-sort': sorted ? (sorting.down ? 'descending' : 'ascending') : null,
  }, column.head ?? (sorting && column.sort
    ? h('button', {
      class: 'sort',
      type: 'button',
      // Numbers are first asked for largest first, names from A to Z.
      onclick: () => sorting.set(column.sort, sorted ? !sorting.down : Boolean(column.num)),
    }, column.title, h('span', { class: 'sort-mark', 'aria-hidden': 'true' }, sorted ? icon(sorting.down ? 'down' : 'up') : ''))
    : h('span', { class: column.title ? null : 'visually-hidden' }, column.title || column.label || 'Actions')));
}

/** Arrow keys, j and k go from row to row, x chooses one. */
function walk(event) {
  if (event.key === 'x' && !event.target.matches('input[type="search"], select, textarea')) return event.target.closest('tbody tr')?.querySelector('[data-choice]')?.click();
  const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
  if (!step || event.target.matches('input:not([type="checkbox"]), select, textarea')) return undefined;
  const row = event.target.closest('tbody tr');
  const next = step > 0 ? row?.nextElementSibling : row?.previousElementSibling;
  const target = next?.querySelector('th a') ?? next?.querySelector('a, button, input');
  if (target) {
    event.preventDefault();
    target.focus();
  }
  return undefined;
}

export function columnChooser(ctx, id, columns) {
  return h('details', { class: 'menu', key: 'columns', onkeydown: closeMenu, onfocusout: leaveMenu },
    h('summary', { class: 'button', 'aria-label': 'Columns' }, icon('columns'), h('span', { class: 'wide-only' }, 'Columns')),
    h('div', { class: 'menu-body' },
      columns.filter((column) => !column.fixed).map((column) =>
        h('label', { class: 'check', key: column.id },
          h('input', {
            type: 'checkbox',
            checked: isShown(ctx, id, column),
            onchange: (event) => {
              setPref(`columns.${id}`, { ...pref(`columns.${id}`, {}), [column.id]: event.target.checked });
              ctx.refresh();
              ctx.redraw();
            },
          }), column.label ?? column.title)),
      h('button', {
        class: 'button small',
        type: 'button',
        onclick: () => {
          setPref(`columns.${id}`, undefined);
          ctx.refresh();
          ctx.redraw();
        },
      }, 'As delivered')));
}

export function closeMenu(event) {
  if (event.key !== 'Escape') return;
  event.currentTarget.open = false;
  event.currentTarget.querySelector('summary').focus();
}

export function leaveMenu(event) {
  if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
}

/** So many rows of a short list are drawn before the reader asks for all. */
const SHORT_LIST = 50;

/** A short list that is sorted and filtered here, not by the broker. `text(row)` is searched. */
export function localTable(ctx, { id, columns, rows, rowKey, text, none, caption, sort, actions, placeholder }) {
  const state = ctx.keep(`table.${id}`, () => ({ filter: '', all: false }));
  const order = pref(`sort.${id}`, sort ?? { by: columns[0].sort, down: false });
  const words = state.filter.trim().toLowerCase();
  const found = rows.filter((row) => !words || text(row).toLowerCase().includes(words));
  const value = columns.find((column) => column.sort === order.by)?.value;
  if (value) found.sort((a, b) => compare(value(a), value(b)) * (order.down ? -1 : 1));
  const sorting = {
    ...order,
    set: (by, down) => {
      setPref(`sort.${id}`, { by, down });
      ctx.redraw();
    },
  };
  return [
    (rows.length > 8 || words || actions) && h('div', { class: 'toolbar', key: 'toolbar' },
      (rows.length > 8 || words) && h('label', { class: 'search' }, icon('search'), h('span', { class: 'visually-hidden' }, 'Filter'),
        h('input', {
          type: 'search',
          'data-filter': true,
          placeholder: placeholder ?? 'Filter',
          value: state.filter,
          oninput: (event) => {
            state.filter = event.target.value;
            ctx.redraw();
          },
        })),
      actions),
    dataTable({
      columns, rows: state.all ? found : found.slice(0, SHORT_LIST), rowKey, sorting, caption,
      none: rows.length === 0 ? none : empty({ title: 'Nothing matches', text: `Nothing here has “${state.filter}” in it.` }),
    }),
    !state.all && found.length > SHORT_LIST && h('footer', { class: 'pager', key: 'all' }, h('button', {
      class: 'button small',
      type: 'button',
      onclick: () => {
        state.all = true;
        ctx.redraw();
      },
    }, `Show all ${found.length}`)),
  ];
}

const compare = (a, b) => {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a ?? '').localeCompare(String(b ?? ''), 'en', { numeric: true });
};
