// Forms from a list of fields. A form's state outlives the page's refreshes.

import { h } from '../lib/dom.js';
import { pairs } from './pairs.js';

let nextId = 0;

/** A form. `fields(values, redraw)` says which fields there are now; `submit(values, redraw)` does the thing
 * and may throw; `intro` is words or gives them anew each time; `state` holds `values`, `busy` and `error` between redraws. */
export function formBody({ fields, state, submit, done, cancel, action = 'Save', redraw, intro, danger, inline }) {
  state.id ??= `form${++nextId}`;
  state.values ??= {};
  const shown = fields(state.values, redraw);
  const onsubmit = async (event) => {
    event.preventDefault();
    if (state.busy) return;
    state.busy = true;
    state.error = null;
    redraw();
    try {
      await submit(state.values, redraw);
      state.busy = false;
      done?.();
    } catch (error) {
      state.busy = false;
      state.error = error.message;
    }
    redraw();
  };
  return h('form', { class: inline ? 'form inline' : 'form dialog-form', onsubmit },
    h('div', { class: 'form-fields' },
      intro && h('div', { class: 'soft span' }, typeof intro === 'function' ? intro() : intro),
      shown.filter(Boolean).map((field) => fieldView(field, state, redraw))),
    state.error && h('p', { class: 'form-error', role: 'alert' }, state.error),
    h('footer', {},
      cancel && h('button', { class: 'button', type: 'button', onclick: cancel }, 'Cancel'),
      h('button', { class: `button primary ${danger ? 'danger' : ''}`, 'aria-busy': state.busy ? 'true' : null, disabled: Boolean(state.busy) },
        state.busy ? 'Working…' : action)));
}

function fieldView(field, state, redraw) {
  const id = `${state.id}-${field.name}`;
  const value = (state.values[field.name] ??= field.value ?? initial(field.type));
  const put = (next) => {
    state.values[field.name] = next;
    redraw();
  };
  const wide = field.wide || ['area', 'pairs'].includes(field.type) ? 'field span' : 'field';
  if (field.type === 'check') {
    return h('label', { class: 'field check', key: field.name },
      h('input', { type: 'checkbox', id, checked: Boolean(value), onchange: (event) => put(event.target.checked) }),
      h('span', {}, field.label, field.hint && h('small', { class: 'hint' }, field.hint)));
  }
  return h('div', { class: wide, key: field.name },
    h('label', { for: id }, field.label, field.required && h('span', { class: 'required', title: 'Required' }, ' *')),
    control(field, id, value, put),
    field.hint && h('small', { class: 'hint break', role: field.live ? 'status' : null }, field.hint));
}

const initial = (type) => ({ pairs: [], check: false })[type] ?? '';

function control(field, id, value, put) {
  switch (field.type) {
    case 'select':
      return h('select', { id, value, onchange: (event) => put(event.target.value) },
        field.options.map((option) => {
          const [key, label] = Array.isArray(option) ? option : [option, option];
          return h('option', { value: key, key, selected: key === value }, label);
        }));
    case 'area':
      return h('textarea', { id, rows: field.rows ?? 4, value, placeholder: field.placeholder, required: field.required, spellcheck: 'false', oninput: (event) => put(event.target.value) });
    case 'pairs':
      return pairs({ id, rows: value, hints: field.hints, put });
    default:
      return [
        h('input', {
          id,
          type: field.type ?? 'text',
          value,
          min: field.min,
          required: field.required,
          placeholder: field.placeholder,
          autocomplete: field.type === 'password' ? 'new-password' : 'off',
          autocapitalize: 'off',
          spellcheck: 'false',
          list: field.suggestions ? `${id}-list` : null,
          oninput: (event) => put(event.target.value),
        }),
        field.suggestions && h('datalist', { id: `${id}-list` }, field.suggestions.map((one) => h('option', { value: one, key: one }))),
      ];
  }
}
