// Doing one thing to several rows of a list: choosing them, asking once, telling how far it is.

import { h } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { formDialog } from './dialog.js';
import { icon } from './icons.js';
import { toast } from './toast.js';

const NAMED_AT_MOST = 8;

/** The column with a box in each row. `chosen` maps rows' keys to rows. */
export const choiceColumn = (ctx, { chosen, rows, rowKey, label, choosable = () => true }) => {
  const offered = rows.filter(choosable);
  const all = offered.length > 0 && offered.every((row) => chosen.has(rowKey(row)));
  const put = (row, on) => (on ? chosen.set(rowKey(row), row) : chosen.delete(rowKey(row)));
  return {
    id: 'choice',
    title: '',
    class: 'choice',
    head: h('input', {
      type: 'checkbox',
      'aria-label': 'Choose all on this page',
      checked: all,
      indeterminate: !all && offered.some((row) => chosen.has(rowKey(row))),
      disabled: offered.length === 0,
      onchange: (event) => {
        offered.forEach((row) => put(row, event.target.checked));
        ctx.redraw();
      },
    }),
    cell: (row) => choosable(row) && h('input', {
      type: 'checkbox',
      'data-choice': true,
      'aria-label': `Choose ${label(row)}`,
      checked: chosen.has(rowKey(row)),
      onchange: (event) => {
        put(row, event.target.checked);
        ctx.redraw();
      },
    }),
  };
};

/** What can be done with the chosen rows. `actions` are `{label, danger, run(rows, done)}`. */
export function bulkBar(ctx, { chosen, noun, actions }) {
  if (chosen.size === 0) return null;
  const clear = () => {
    chosen.clear();
    ctx.redraw();
  };
  return h('div', { class: 'bulk-bar', role: 'group', 'aria-label': 'Chosen', key: 'bulk' },
    h('strong', { role: 'status' }, `${format.plural(chosen.size, ...noun)} chosen`),
    h('button', { class: 'button plain small', type: 'button', onclick: clear, 'aria-label': 'Choose none' }, icon('close'), h('span', { class: 'wide-only' }, 'Clear')),
    h('span', { class: 'push' }),
    actions.map((action) => h('button', {
      class: `button small ${action.danger ? 'danger' : ''}`,
      type: 'button',
      key: action.label,
      onclick: () => action.run([...chosen.values()], clear),
    }, action.label)));
}

/** Asks, then does `act(row, values)` to one row after the other. Rows that it failed for are told of
 * in the dialog, which stays. `spec` is `{title, text, action, past, name(row), fields}`. */
export function doToAll(ctx, rows, act, { title, text, action, past, name, fields, danger = true, done }) {
  const progress = { at: 0 };
  return formDialog({
    title,
    action,
    danger,
    intro: () => [
      h('span', {}, text),
      h('ul', { class: 'named' }, rows.slice(0, NAMED_AT_MOST).map((row) => h('li', { class: 'break', key: name(row) }, name(row))),
        rows.length > NAMED_AT_MOST && h('li', { class: 'muted' }, `and ${format.count(rows.length - NAMED_AT_MOST)} more`)),
      progress.at > 0 && h('span', { role: 'status' }, `${format.count(progress.at)} of ${format.count(rows.length)} done`),
    ],
    fields: () => fields ?? [],
    async submit(values, redraw) {
      const left = [];
      progress.at = 0;
      for (const row of rows) {
        try {
          await act(row, values);
        } catch (error) {
          left.push(`${name(row)}: ${error.message}`);
        }
        progress.at += 1;
        redraw();
      }
      ctx.refresh();
      if (left.length) throw new Error(`${format.count(left.length)} of ${format.count(rows.length)} could not be ${past}. ${left.slice(0, NAMED_AT_MOST).join('; ')}`);
      toast(`${format.count(rows.length)} ${past}`);
      done?.();
    },
  });
}
