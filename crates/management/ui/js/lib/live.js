// One opened page: loads its data, draws it, loads again. What was shown stays while new data is
// on its way, and when it does not come.

import { pref } from './prefs.js';

export const REFRESH_CHOICES = [[5, '5 s'], [10, '10 s'], [30, '30 s'], [0, 'Off']];

/** `page` has `title(ctx)`, `load(ctx)` and `view(ctx)`; `around` is what stands around every page,
 * `redraw` draws the whole frame. */
export function openPage({ page, params, query, around, redraw }) {
  const kept = new Map();
  const ending = new AbortController();
  let timer = null;
  let round = 0;

  const ctx = {
    params,
    query,
    around,
    data: undefined,
    error: null,
    at: null,
    loading: false,
    closed: false,
    redraw: () => ctx.closed || redraw(),
    /** What a part of the page keeps while the page is open. */
    keep(name, make = () => ({})) {
      if (!kept.has(name)) kept.set(name, make());
      return kept.get(name);
    },
    /** The vhost that lists are narrowed to; '' for all. */
    get vhost() {
      return pref('vhost', '');
    },
    async refresh() {
      const mine = ++round;
      clearTimeout(timer);
      ctx.loading = true;
      try {
        const data = page.load ? await page.load(ctx, ending.signal) : {};
        if (ctx.closed || mine !== round) return;
        Object.assign(ctx, { data, error: null, at: Date.now() });
      } catch (error) {
        if (ctx.closed || mine !== round || error.name === 'AbortError') return;
        if (error.status === undefined) console.error(error);
        ctx.error = error;
      }
      ctx.loading = false;
      schedule();
      redraw();
    },
    close() {
      ctx.closed = true;
      clearTimeout(timer);
      ending.abort();
      document.removeEventListener('visibilitychange', onVisible);
    },
  };

  function schedule() {
    clearTimeout(timer);
    const seconds = page.refresh === false ? 0 : pref('refresh', 5);
    if (seconds > 0 && !ctx.closed) {
      timer = setTimeout(() => (document.hidden ? schedule() : ctx.refresh()), seconds * 1000);
    }
  }
  ctx.reschedule = schedule;

  function onVisible() {
    if (!document.hidden && pref('refresh', 5) > 0 && Date.now() - (ctx.at ?? 0) > pref('refresh', 5) * 1000) ctx.refresh();
  }
  document.addEventListener('visibilitychange', onVisible);

  ctx.refresh();
  return ctx;
}
