// The way in.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';

const state = { busy: false, error: null };

export function login({ note, redraw, done }) {
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    state.busy = true;
    state.error = null;
    redraw();
    try {
      await api.login(form.get('username'), form.get('password'), form.get('stay') !== null);
      await done();
    } catch (error) {
      state.error = error.status === 401
        ? 'The user name or the password is wrong, or this user may not use the management pages.'
        : error.message;
    }
    state.busy = false;
    redraw();
  };
  return h('main', { class: 'login', key: 'login' }, h('div', { class: 'login-card' },
    h('div', { class: 'brand' }, h('img', { src: 'favicon.svg', alt: '' }), h('h1', {}, 'Leveret')),
    h('form', { onsubmit: submit },
      note && !state.error && h('p', { class: 'form-note', role: 'status' }, note),
      h('div', { class: 'field' }, h('label', { for: 'username' }, 'User name'),
        h('input', { id: 'username', name: 'username', type: 'text', required: true, autofocus: true, autocomplete: 'username', autocapitalize: 'off', spellcheck: 'false' })),
      h('div', { class: 'field' }, h('label', { for: 'password' }, 'Password'),
        h('input', { id: 'password', name: 'password', type: 'password', required: true, autocomplete: 'current-password' })),
      h('label', { class: 'field check' },
        h('input', { type: 'checkbox', name: 'stay' }),
        h('span', {}, 'Stay logged in', h('small', { class: 'hint' }, 'Keeps the login in this browser for 8 hours, for all its tabs.'))),
      state.error && h('p', { class: 'form-error', role: 'alert' }, state.error),
      h('button', { class: 'button primary', disabled: state.busy }, state.busy ? 'Logging in…' : 'Log in'))));
}
