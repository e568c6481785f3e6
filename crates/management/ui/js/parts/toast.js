// Short words about what has just been done.

import { h, render } from '../lib/dom.js';
import { icon } from './icons.js';

const SHOWN_MS = 5000;
const SHOWN_AT_MOST = 4;

let toasts = [];
let next = 0;

export function toast(message, tone = 'good') {
  const id = ++next;
  toasts = [...toasts, { id, message, tone }].slice(-SHOWN_AT_MOST);
  draw();
  // What went wrong stays until it was read.
  if (tone === 'good') setTimeout(() => dismiss(id), SHOWN_MS);
}

const dismiss = (id) => {
  toasts = toasts.filter((one) => one.id !== id);
  draw();
};

const draw = () =>
  render(document.getElementById('toasts'), toasts.map((one) =>
    h('div', { class: `toast ${one.tone}`, key: one.id },
      h('span', { class: 'break' }, one.message),
      h('button', { class: 'button plain icon small', 'aria-label': 'Dismiss', onclick: () => dismiss(one.id) }, icon('close')))));
