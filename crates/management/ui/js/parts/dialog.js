// Dialogs on the browser's own element: Esc closes them, focus stays inside and goes back after.

import { h, render } from '../lib/dom.js';
import { icon } from './icons.js';
import { formBody } from './form.js';

let open = [];

/** Opens a dialog; `view(close)` draws its inside. Resolves with what `close` was given. */
export function dialog({ title, view, wide }) {
  return new Promise((resolve) => {
    const one = { title, wide };
    one.close = (result) => {
      if (!open.includes(one)) return;
      open = open.filter((other) => other !== one);
      redraw();
      resolve(result);
    };
    one.view = () => view(one.close, redraw);
    open = [...open, one];
    redraw();
  });
}

export const closeAll = () => [...open].forEach((one) => one.close());

function redraw() {
  const host = document.getElementById('dialogs');
  render(host, open.map((one, index) =>
    h('dialog', {
      key: `${index}-${one.title}`,
      class: one.wide ? 'dialog wide' : 'dialog',
      'aria-labelledby': `dialog-title-${index}`,
      onmount: (element) => element.showModal(),
      oncancel: (event) => {
        event.preventDefault();
        one.close();
      },
      onclick: (event) => {
        if (event.target === event.currentTarget) one.close();
      },
    }, h('div', { class: 'dialog-inside' },
      h('div', { class: 'dialog-head' },
        h('h2', { id: `dialog-title-${index}` }, one.title),
        h('button', { class: 'button plain icon small', type: 'button', 'aria-label': 'Close', onclick: () => one.close() }, icon('close'))),
      one.view()))));
}

/** Asks before something that cannot be undone. `body` names the thing; resolves true or undefined. */
export const confirm = ({ title, body, action, danger = true }) =>
  dialog({
    title,
    view: (close) => h('form', {
      class: 'dialog-form',
      onsubmit: (event) => {
        event.preventDefault();
        close(true);
      },
    },
    h('div', { class: 'soft break dialog-text' }, body),
    h('footer', {},
      h('button', { class: 'button', type: 'button', autofocus: true, onclick: () => close() }, 'Cancel'),
      h('button', { class: `button primary ${danger ? 'danger' : ''}` }, action))),
  });

/** A form in a dialog. Stays open, with the broker's words, when `submit(values)` fails. */
export const formDialog = (spec) => {
  const state = { values: { ...spec.values } };
  return dialog({
    title: spec.title,
    wide: spec.wide,
    view: (close, redrawAll) => formBody({
      ...spec,
      state,
      redraw: redrawAll,
      cancel: () => close(),
      done: () => close(true),
    }),
  });
};
