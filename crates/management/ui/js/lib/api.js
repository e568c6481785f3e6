// The HTTP API. Addresses are relative to the page, so a path prefix needs no setting.

import * as session from './session.js';

const TIMEOUT_MS = 20_000;

/** Why a request got no good answer. `status` is 0 when there was no answer at all. */
export class Failure extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** Called when the broker no longer knows the session. */
export const onLoggedOut = { handler: () => {} };

/** Joins path parts, each encoded: api.path('queues', '/', 'a b') is `queues/%2F/a%20b`. */
export const path = (...parts) => parts.map(encodeURIComponent).join('/');

export const query = (entries) => {
  const given = Object.entries(entries).filter(([, value]) => value !== undefined && value !== '');
  return given.length ? '?' + new URLSearchParams(given) : '';
};

async function send(method, where, { body, headers = {}, signal, timeout = TIMEOUT_MS } = {}) {
  if (session.expired()) {
    onLoggedOut.handler();
    throw new Failure(401, 'The session has ended.');
  }
  const limit = AbortSignal.timeout(timeout);
  const head = { ...headers };
  if (session.token()) head.authorization = `Basic ${session.token()}`;
  if (body !== undefined && !head['content-type']) head['content-type'] = 'application/json';
  let response;
  try {
    response = await fetch(`api/${where}`, {
      method,
      headers: head,
      body: body === undefined || typeof body === 'string' || body instanceof Blob
        ? body : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      credentials: 'omit',
      cache: 'no-store',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure(0, limit.aborted ? 'The broker did not answer in time.' : 'The broker cannot be reached.');
  }
  if (response.ok) return response;
  const reason = await explain(response);
  if (response.status === 401 && session.token() && /^not_?authori[sz]ed$/i.test(reason)) onLoggedOut.handler();
  throw new Failure(response.status, reason);
}

async function explain(response) {
  const text = await response.text().catch(() => '');
  try {
    const { reason, error } = JSON.parse(text);
    const said = reason ?? error;
    return Array.isArray(said) ? said.join(': ') : String(said);
  } catch {
    return text.slice(0, 500) || `The broker answered ${response.status} ${response.statusText}`.trim() + '.';
  }
}

async function json(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

export const get = (where, options) => send('GET', where, options).then(json);
export const put = (where, body = {}, options) => send('PUT', where, { ...options, body });
export const post = (where, body, options) => send('POST', where, { ...options, body }).then(json);
export const del = (where, options) => send('DELETE', where, options);

/** As `get`, but `fallback` where the broker has no such thing or does not show it to this user. */
export const getOr = (fallback, where, options) =>
  get(where, options).catch((error) => {
    if ([401, 403, 404, 405].includes(error.status)) return fallback;
    throw error;
  });

export async function login(username, password, stay) {
  const form = new URLSearchParams({ username, password }).toString();
  const answer = await post('login', form, { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  // An answer without user details (a cookie alone) leaves them to `whoami`.
  const token = answer?.token?.value ?? btoa(String.fromCharCode(...new TextEncoder().encode(`${username}:${password}`)));
  session.begin(answer?.user ?? { name: username, tags: [] }, token, stay);
  if (!answer?.user) session.begin(await get('whoami'), token, stay);
}

export async function logout() {
  await del('login').catch(() => {});
  session.end();
}
