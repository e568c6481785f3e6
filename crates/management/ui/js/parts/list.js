// Lists that the broker filters, sorts and pages: as fast with 20,000 queues as with two.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import * as format from '../lib/format.js';
import { pref, setPref } from '../lib/prefs.js';
import { setQuery } from '../lib/router.js';
import { icon } from './icons.js';
import { columnChooser, dataTable, shownColumns } from './table.js';
import { card, empty, head } from './bits.js';
import { bulkBar, choiceColumn } from './bulk.js';

const PAGE_SIZES = [25, 50, 100, 200, 500];
const TYPING_MS = 250;

/** A page that is one list: `{id, title, noun, where(ctx), columns, rowKey, always, sort, actions(ctx),
 * blank, complete, bulk}`. `where` gives the API's path, `always` the JSON keys asked for in any case (all
 * when left out), `complete(items)` adds what another request knows, `bulk` is what can be done with
 * several rows: `{label(row), choosable(row), actions(ctx)}`. */
export const listPage = (spec) => ({
  title: () => spec.title,
  async load(ctx, signal) {
    const state = listState(ctx, spec);
    const list = await fetchPage(ctx, spec, state, signal);
    await spec.complete?.(list.items, ctx);
    // What is chosen is what the broker says of it now.
    for (const row of list.items) if (state.chosen.has(spec.rowKey(row))) state.chosen.set(spec.rowKey(row), row);
    return { list };
  },
  view: (ctx) => [
    head({ title: spec.title, actions: spec.actions?.(ctx) }),
    card({ flush: true }, toolbar(ctx, spec), body(ctx, spec), pager(ctx, spec)),
    spec.bulk && bulkBar(ctx, { chosen: listState(ctx, spec).chosen, noun: spec.noun, actions: spec.bulk.actions(ctx) }),
  ],
});

/** An address may ask for an order: `#/queues?sort=messages_ready` has the fullest queues first. */
const listState = (ctx, spec) => ctx.keep(`list.${spec.id}`, () => {
  if (ctx.query.sort) setPref(`sort.${spec.id}`, { by: ctx.query.sort, down: true });
  return { page: Number(ctx.query.page) || 1, name: ctx.query.name ?? '', typed: ctx.query.name ?? '', regex: ctx.query.regex === 'true', chosen: new Map() };
});

async function fetchPage(ctx, spec, state, signal) {
  const order = pref(`sort.${spec.id}`, spec.sort);
  const shown = shownColumns(ctx, spec.id, spec.columns);
  const ask = async (page) => whole(ctx, spec, state, page, await api.get(spec.where(ctx) + api.query({
    page,
    page_size: pref('page_size', 100),
    name: state.name,
    use_regex: state.regex,
    pagination: true,
    sort: order.by,
    sort_reverse: order.down,
    columns: spec.always && [...new Set([...spec.always, ...shown.flatMap((column) => column.needs ?? [])])].join(','),
  }), { signal }));
  try {
    return await ask(state.page);
  } catch (error) {
    // The last page has gone while it was looked at.
    if (error.status !== 400 || state.page === 1) throw error;
    state.page = 1;
    return ask(1);
  }
}

/** Some lists of a single vhost come whole, sorted but without pages: they are cut here. */
function whole(ctx, spec, state, page, answer) {
  if (!Array.isArray(answer)) return answer;
  const pattern = state.regex ? new RegExp(state.name) : null;
  const found = answer.filter((row) => (pattern ? pattern.test(row.name) : row.name.includes(state.name)));
  const size = pref('page_size', 100);
  const items = found.slice((page - 1) * size, page * size);
  return { items, page, page_size: size, page_count: Math.ceil(found.length / size), filtered_count: found.length, total_count: answer.length, item_count: items.length };
}

const remember = (state) => setQuery({ page: state.page > 1 ? state.page : '', name: state.name, regex: state.regex || '' });

function toolbar(ctx, spec) {
  const state = listState(ctx, spec);
  const apply = () => {
    clearTimeout(state.timer);
    state.invalid = state.regex && badPattern(state.typed);
    if (state.invalid) return ctx.redraw();
    Object.assign(state, { name: state.typed, page: 1 });
    remember(state);
    return ctx.refresh();
  };
  return h('div', { class: 'toolbar' },
    h('label', { class: 'search' }, icon('search'), h('span', { class: 'visually-hidden' }, `Filter ${spec.noun[1]}`),
      h('input', {
        type: 'search',
        'data-filter': true,
        placeholder: state.regex ? 'Filter by regular expression' : 'Filter by name',
        value: state.typed,
        'aria-invalid': state.invalid ? 'true' : null,
        oninput: (event) => {
          state.typed = event.target.value;
          clearTimeout(state.timer);
          state.timer = setTimeout(apply, TYPING_MS);
        },
        onkeydown: (event) => event.key === 'Enter' && apply(),
      }),
      h('kbd', { class: 'wide-only', 'aria-hidden': 'true' }, '/')),
    h('button', {
      class: `button toggle ${state.regex ? 'on' : ''}`,
      type: 'button',
      'aria-pressed': String(state.regex),
      title: 'Filter by regular expression',
      onclick: () => {
        state.regex = !state.regex;
        apply();
        ctx.redraw();
      },
    }, h('span', { class: 'mono' }, '.*'), h('span', { class: 'visually-hidden' }, 'Regular expression')),
    state.invalid && h('span', { class: 'form-error-word', role: 'alert' }, state.invalid),
    h('span', { class: 'push' }),
    ctx.data && h('span', { class: 'muted list-count' }, counted(ctx.data.list, spec)),
    columnChooser(ctx, spec.id, spec.columns));
}

function badPattern(pattern) {
  try {
    new RegExp(pattern);
    return null;
  } catch {
    return 'Not a regular expression';
  }
}

const counted = (list, spec) =>
  list.filtered_count === list.total_count
    ? format.plural(list.total_count, ...spec.noun)
    : `${format.count(list.filtered_count)} of ${format.plural(list.total_count, ...spec.noun)}`;

function body(ctx, spec) {
  const state = listState(ctx, spec);
  const rows = ctx.data.list.items;
  const columns = shownColumns(ctx, spec.id, spec.columns);
  if (spec.bulk) columns.unshift(choiceColumn(ctx, { chosen: state.chosen, rows, rowKey: spec.rowKey, ...spec.bulk }));
  return dataTable({
    columns,
    rows,
    rowKey: spec.rowKey,
    caption: spec.title,
    none: state.name
      ? empty({ title: `No ${spec.noun[1]} match`, text: `No name ${state.regex ? 'matches' : 'contains'} “${state.name}”.`, iconName: 'search' })
      : spec.blank(ctx),
    sorting: {
      ...pref(`sort.${spec.id}`, spec.sort),
      set: (by, down) => {
        setPref(`sort.${spec.id}`, { by, down });
        state.page = 1;
        remember(state);
        ctx.refresh();
        ctx.redraw();
      },
    },
  });
}

function pager(ctx, spec) {
  const state = listState(ctx, spec);
  const { page, page_count: pages, filtered_count: found, page_size: size, items } = ctx.data.list;
  if (found === 0 || (pages <= 1 && found <= PAGE_SIZES[0])) return null;
  const turn = (to) => {
    state.page = to;
    remember(state);
    ctx.refresh();
    document.querySelector('.card')?.scrollIntoView({ block: 'nearest' });
  };
  const first = (page - 1) * size + 1;
  return h('footer', { class: 'pager' },
    h('label', { class: 'bar-field' }, h('span', {}, 'Rows'),
      h('select', {
        'aria-label': 'Rows on a page',
        value: String(pref('page_size', 100)),
        onchange: (event) => {
          setPref('page_size', Number(event.target.value));
          turn(1);
        },
      }, PAGE_SIZES.map((one) => h('option', { value: String(one), selected: one === pref('page_size', 100) }, String(one))))),
    h('span', { class: 'push muted' }, `${format.count(first)}–${format.count(first + items.length - 1)} of ${format.count(found)}`),
    h('button', { class: 'button icon', type: 'button', 'aria-label': 'Previous page', disabled: page <= 1, onclick: () => turn(page - 1) }, icon('left')),
    h('select', { 'aria-label': 'Page', class: 'page-select', value: String(page), onchange: (event) => turn(Number(event.target.value)) },
      around(page, pages).map((one) => h('option', { value: String(one), key: one, selected: one === page }, String(one)))),
    h('button', { class: 'button icon', type: 'button', 'aria-label': 'Next page', disabled: page >= pages, onclick: () => turn(page + 1) }, icon('right')));
}

/** The pages worth offering: all of a few, else those near and some far ones. */
function around(page, pages) {
  const step = Math.ceil(pages / 50);
  return Array.from({ length: pages }, (_, index) => index + 1)
    .filter((one) => one === 1 || one === pages || Math.abs(one - page) < 10 || one % step === 0);
}
