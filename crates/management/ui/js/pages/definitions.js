// Export and import of definitions.

import { h } from '../lib/dom.js';
import * as api from '../lib/api.js';
import { importAll, parse } from '../lib/definitions.js';
import * as format from '../lib/format.js';
import { button, card, facts, head } from '../parts/bits.js';
import { vhostNames } from '../parts/add-queue.js';
import { toast } from '../parts/toast.js';

const EXPORT_TIMEOUT_MS = 120_000;

export default {
  title: () => 'Definitions',
  refresh: false,
  async load() {
    const [vhosts, overview] = await Promise.all([vhostNames(), api.get('overview')]);
    return { vhosts, cluster: overview.cluster_name };
  },
  view: (ctx) => [
    head({ title: 'Definitions', sub: 'Users, virtual hosts, permissions, policies, exchanges, queues and bindings. No messages.' }),
    h('div', { class: 'cards' }, exportCard(ctx), importCard(ctx)),
  ],
};

const vhostSelect = (ctx, state, id) => h('div', { class: 'field' }, h('label', { for: id }, 'Virtual host'),
  h('select', {
    id,
    value: state.vhost,
    onchange: (event) => {
      state.vhost = event.target.value;
      ctx.redraw();
    },
  }, h('option', { value: '' }, 'All, with users and permissions'), ctx.data.vhosts.map((name) => h('option', { value: name, key: name }, name))));

function exportCard(ctx) {
  const state = ctx.keep('export', () => ({ vhost: '', busy: false }));
  const run = async () => {
    state.busy = true;
    ctx.redraw();
    try {
      const definitions = await api.get(state.vhost ? api.path('definitions', state.vhost) : 'definitions', { timeout: EXPORT_TIMEOUT_MS });
      download(definitions, `${[ctx.data.cluster, state.vhost].filter(Boolean).join('_').replace(/[^\w.@-]+/g, '-')}_${new Date().toISOString().slice(0, 10)}.json`);
    } catch (error) {
      toast(error.message, 'bad');
    }
    state.busy = false;
    ctx.redraw();
  };
  return card({ title: 'Export' }, h('div', { class: 'stack' },
    vhostSelect(ctx, state, 'export-vhost'),
    h('div', {}, button(state.busy ? 'Exporting…' : 'Download definitions', run, { tone: 'primary', iconName: 'definitions', disabled: state.busy }))));
}

function download(definitions, name) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(definitions, null, 2)], { type: 'application/json' }));
  const anchor = document.createElement('a');
  Object.assign(anchor, { href: url, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function importCard(ctx) {
  const state = ctx.keep('import', () => ({ vhost: '', parsed: null, error: null, done: null }));
  const choose = async (event) => {
    const file = event.target.files[0];
    Object.assign(state, { parsed: null, error: null, done: null });
    try {
      state.parsed = file ? parse(await file.text()) : null;
    } catch (error) {
      state.error = error.message;
    }
    ctx.redraw();
  };
  return card({ title: 'Import' }, h('div', { class: 'stack' },
    h('div', { class: 'field' }, h('label', { for: 'import-file' }, 'File: choose it, or drop it here'),
      h('input', { id: 'import-file', class: 'drop', type: 'file', accept: '.json,application/json', onchange: choose }),
      h('small', { class: 'hint' }, 'What exists already stays as it is; users and policies of the same name are replaced.')),
    vhostSelect(ctx, state, 'import-vhost'),
    state.parsed && contents(state.parsed),
    state.error && h('p', { class: 'form-error', role: 'alert' }, state.error),
    state.done !== null && progressBar(state),
    h('div', {}, button(state.busy ? 'Importing…' : 'Import definitions', () => run(ctx, state), { tone: 'primary', disabled: !state.parsed || state.busy }))));
}

const contents = (parsed) => h('div', {}, h('h3', {}, 'In this file'), facts(parsed.kinds.map(([, label, items]) => [label, format.count(items.length)])));

function progressBar(state) {
  const part = state.parsed.total ? state.done / state.parsed.total : 1;
  return h('div', { class: 'stack tight' },
    h('div', { class: 'progress', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': state.parsed.total, 'aria-valuenow': state.done, 'aria-label': 'Import' }, h('i', { style: { width: `${part * 100}%` } })),
    h('p', { class: 'soft', role: 'status' }, state.finished
      ? `All ${format.plural(state.parsed.total, 'definition')} are imported.`
      : `${format.count(state.done)} of ${format.count(state.parsed.total)}${state.at ? `: ${state.at}` : ''}`));
}

async function run(ctx, state) {
  Object.assign(state, { busy: true, error: null, done: 0, finished: false });
  ctx.redraw();
  try {
    await importAll(state.parsed, state.vhost, (done, at) => {
      Object.assign(state, { done, at });
      ctx.redraw();
    });
    state.finished = true;
    toast('Definitions imported');
  } catch (error) {
    state.error = error.message;
  }
  state.busy = false;
  ctx.redraw();
}
