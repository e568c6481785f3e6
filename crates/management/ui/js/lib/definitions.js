// Definitions, imported in pieces: the import can say how far it is, and a file may be larger than
// one request may be. The broker skips what is there already, so an import can be tried again.

import * as api from './api.js';

/** In the order in which one needs the other. */
const ORDER = [
  ['vhosts', 'Virtual hosts'], ['users', 'Users'], ['permissions', 'Permissions'], ['topic_permissions', 'Topic permissions'],
  ['global_parameters', 'Global parameters'], ['parameters', 'Parameters'], ['policies', 'Policies'],
  ['exchanges', 'Exchanges'], ['queues', 'Queues'], ['bindings', 'Bindings'],
];
const PIECE = 100;
const PIECE_TIMEOUT_MS = 120_000;

/** What is in a file, as `[kind, label, items]`; throws when it is not a file of definitions. */
export function parse(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error('This file is not JSON.');
  }
  const kinds = ORDER.filter(([kind]) => Array.isArray(file?.[kind])).map(([kind, label]) => [kind, label, file[kind]]);
  if (kinds.length === 0) throw new Error('There are no definitions in this file.');
  return { kinds, total: kinds.reduce((sum, [, , items]) => sum + items.length, 0), head: versions(file) };
}

/** What the broker wants to know about where the file comes from. */
const versions = (file) => Object.fromEntries(Object.entries(file).filter(([, value]) => typeof value === 'string'));

/** Imports `parsed`, into one vhost where one is named; calls `progress(done, label)` on the way. */
export async function importAll(parsed, vhost, progress) {
  const where = vhost ? api.path('definitions', vhost) : 'definitions';
  let done = 0;
  for (const [kind, label, items] of parsed.kinds) {
    for (let from = 0; from < items.length; from += PIECE) {
      const piece = items.slice(from, from + PIECE);
      progress(done, label);
      await api.post(where, { ...parsed.head, [kind]: piece }, { timeout: PIECE_TIMEOUT_MS }).catch((error) => {
        error.message = `${label} ${from + 1} to ${from + piece.length}: ${error.message}`;
        throw error;
      });
      done += piece.length;
    }
  }
  progress(done, '');
}
