// Addresses are RabbitMQ's: `#/queues/%2F/name`, so bookmarks go on working. What a list was
// filtered by stands behind a `?`.

import { routes } from '../routes.js';

const decode = (part) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
};

/** The page for the address in the browser: its route, the names in it, and its query. */
export function here() {
  const [where, search = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const parts = where.split('/').filter((part, index, all) => part !== '' || index < all.length - 1);
  const query = Object.fromEntries(new URLSearchParams(search));
  for (const route of routes) {
    const params = match(route.path, parts);
    if (params) return { route, params, query, address: where };
  }
  return { route: null, params: {}, query, address: where };
}

function match(pattern, parts) {
  const names = pattern === '' ? [] : pattern.split('/');
  if (names.length !== parts.length) return null;
  const params = {};
  for (const [index, name] of names.entries()) {
    if (name.startsWith(':')) params[name.slice(1)] = decode(parts[index]);
    else if (name !== parts[index]) return null;
  }
  return params;
}

/** The address of a page: link('queues', '/', 'name'). */
export const link = (...parts) => '#/' + parts.map(encodeURIComponent).join('/');

export const go = (address) => {
  location.hash = address;
};

/** Writes a list's state into the address without a new entry in the history. */
export function setQuery(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const [where] = location.hash.split('?');
  const search = new URLSearchParams(given).toString();
  history.replaceState(null, '', (where || '#/') + (search ? `?${search}` : ''));
}
