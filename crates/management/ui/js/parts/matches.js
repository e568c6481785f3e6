// What a policy's pattern would match, while it is being typed.

import * as api from '../lib/api.js';
import * as format from '../lib/format.js';

const TYPING_MS = 250;
const NAMED = 3;
const TYPES = { classic_queues: 'classic', quorum_queues: 'quorum', streams: 'stream' };

/** A function that says in words what a pattern matches now, and asks the broker when that is not
 * known yet; `redraw` shows what it answered. */
export function matchWords() {
  const state = { asked: '', words: '', timer: 0 };
  return ({ vhost, pattern, applyTo }, redraw) => {
    const asked = JSON.stringify([vhost, pattern, applyTo]);
    if (!pattern || !vhost) return 'A regular expression for names.';
    if (asked === state.asked) return state.words;
    state.asked = asked;
    clearTimeout(state.timer);
    state.timer = setTimeout(async () => {
      const words = await look(vhost, pattern, applyTo).catch(() => 'What it matches cannot be seen.');
      if (state.asked !== asked) return;
      state.words = words;
      redraw();
    }, TYPING_MS);
    return state.words || 'Looking for what it matches…';
  };
}

async function look(vhost, pattern, applyTo) {
  try {
    new RegExp(pattern, 'u');
  } catch {
    return 'Not a regular expression as browsers know them; the broker may still take it.';
  }
  const kinds = { exchanges: ['exchanges'], all: ['queues', 'exchanges'] }[applyTo] ?? ['queues'];
  const found = await Promise.all(kinds.map((kind) => matching(kind, vhost, pattern)));
  const names = found.flatMap((list) => list.items.map((one) => one.name));
  const counts = kinds.map((kind, index) => format.plural(found[index].filtered_count, kind.slice(0, -1)));
  const type = TYPES[applyTo] ? `, of which it takes the ${TYPES[applyTo]} ones` : '';
  return `Matches ${counts.join(' and ')}${type}${names.length ? `: ${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? '…' : ''}` : '.'}`;
}

const matching = (kind, vhost, pattern) => api.get(api.path(kind, vhost) + api.query({
  page: 1, page_size: NAMED + 1, pagination: true, name: pattern, use_regex: true, columns: 'name',
}));
