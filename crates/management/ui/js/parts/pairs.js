// Names with typed values: arguments, headers, properties, policy definitions.

import { h } from '../lib/dom.js';
import { icon } from './icons.js';

const TYPES = [['string', 'String'], ['number', 'Number'], ['boolean', 'Boolean'], ['list', 'List'], ['json', 'JSON']];

/** The rows as an object; throws with the row's name when a value is not of its type. */
export const toObject = (rows = []) =>
  Object.fromEntries(rows.filter((row) => row.key.trim() !== '').map((row) => [row.key.trim(), parse(row)]));

function parse({ key, value, type }) {
  const words = String(value).trim();
  switch (type) {
    case 'number':
      if (words === '' || !Number.isFinite(Number(words))) throw new Error(`${key} must be a number.`);
      return Number(words);
    case 'boolean':
      if (!/^(true|false)$/i.test(words)) throw new Error(`${key} must be true or false.`);
      return words.toLowerCase() === 'true';
    case 'list':
      return words === '' ? [] : words.split(',').map((one) => one.trim());
    case 'json':
      try {
        return JSON.parse(words);
      } catch {
        throw new Error(`${key} is not valid JSON.`);
      }
    default:
      return String(value);
  }
}

/** The opposite of `toObject`. */
export const toRows = (object = {}) => Object.entries(object).map(([key, value]) => {
  const type = Array.isArray(value) && value.every((one) => typeof one === 'string') ? 'list'
    : ['number', 'boolean', 'string'].includes(typeof value) ? typeof value : 'json';
  return { key, type, value: type === 'list' ? value.join(', ') : type === 'json' ? JSON.stringify(value) : String(value) };
});

/** The editor. `hints` are `{key, type, about, values}`; a click on one adds its row. */
export function pairs({ id, rows, hints = [], put }) {
  const change = (index, part) => put(rows.map((row, at) => (at === index ? { ...row, ...part } : row)));
  const add = (hint) => put([...rows, { key: hint?.key ?? '', value: hint?.values?.[0] ?? '', type: hint?.type ?? 'string' }]);
  const unused = hints.filter((hint) => !rows.some((row) => row.key === hint.key));
  const about = (row) => hints.find((hint) => hint.key === row.key);
  return h('div', { class: 'pairs' },
    rows.map((row, index) => h('div', { class: 'pair' },
      h('input', { type: 'text', id: index === 0 ? id : null, 'aria-label': 'Name', placeholder: 'name', value: row.key, spellcheck: 'false', oninput: (event) => change(index, { key: event.target.value }) }),
      about(row)?.values
        ? h('select', { 'aria-label': `Value of ${row.key}`, value: row.value, onchange: (event) => change(index, { value: event.target.value }) },
          about(row).values.map((one) => h('option', { value: one, selected: one === row.value }, one)))
        : h('input', { type: 'text', 'aria-label': `Value of ${row.key || 'the argument'}`, placeholder: about(row)?.placeholder ?? 'value', value: row.value, spellcheck: 'false', oninput: (event) => change(index, { value: event.target.value }) }),
      h('select', { class: 'pair-type', 'aria-label': `Type of ${row.key || 'the argument'}`, value: row.type, onchange: (event) => change(index, { type: event.target.value }) },
        TYPES.map(([type, label]) => h('option', { value: type, selected: type === row.type }, label))),
      h('button', { class: 'button plain icon', type: 'button', 'aria-label': `Remove ${row.key || 'row'}`, onclick: () => put(rows.filter((_, at) => at !== index)) }, icon('close')),
      about(row) && h('small', { class: 'hint pair-about' }, about(row).about))),
    h('div', { class: 'pair-add' },
      h('button', { class: 'button small', type: 'button', onclick: () => add() }, icon('plus'), rows.length ? 'Another' : 'Add'),
      unused.map((hint) => h('button', { class: 'chip-button', type: 'button', key: hint.key, title: hint.about, onclick: () => add(hint) }, hint.key))));
}
