// Line drawings on a grid of 20.

import { h } from '../lib/dom.js';

const PATHS = {
  overview: 'M3 17V9m5 8V4m5 13v-6m4 6V7',
  connections: 'M7 6V3m6 3V3M5 6h10v4a5 5 0 0 1-10 0zm5 9v3',
  channels: 'M3 6h9l3 4-3 4H3m5-4h4',
  exchanges: 'M3 10h5m4-1 5-4m-5 6 5 4M8 10a2 2 0 1 0 4 0 2 2 0 1 0-4 0',
  queues: 'M3 5h14M3 10h14M3 15h9',
  streams: 'M3 6c3-3 5 3 8 0s4 0 6 0M3 11c3-3 5 3 8 0s4 0 6 0M3 16c3-3 5 3 8 0s4 0 6 0',
  users: 'M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zm-7 7c0-3 3-5 7-5s7 2 7 5',
  vhosts: 'M3 4h14v5H3zm0 7h14v5H3zm3-4.5h.01M6 13.5h.01',
  policies: 'M5 3h7l3 3v11H5zm3 7h4m-4 3h4',
  limits: 'M3 14a7 7 0 0 1 14 0M10 14l3-5',
  definitions: 'M10 3v9m-4-4 4 4 4-4M3 15v2h14v-2',
  flags: 'M5 17V3h9l-2 3.5L14 10H5',
  deprecated: 'M10 3l8 14H2zm0 5v4m0 2.5v.01',
  cluster: 'M10 3v4m0 0-5 6m5-6 5 6M8 3h4M3 13h4v4H3zm10 0h4v4h-4z',
  menu: 'M3 5h14M3 10h14M3 15h14',
  close: 'M5 5l10 10M15 5 5 15',
  refresh: 'M16 10a6 6 0 1 1-2-4.5M16 3v3.5h-3.5',
  sun: 'M10 6a4 4 0 1 0 0 8 4 4 0 0 0 0-8zm0-4v1m0 14v1M2 10h1m14 0h1M4.3 4.3l.7.7m10 10 .7.7m0-11.4-.7.7m-10 10-.7.7',
  moon: 'M16 12A7 7 0 0 1 8 4a6.5 6.5 0 1 0 8 8z',
  auto: 'M10 3a7 7 0 1 0 0 14zm0 0a7 7 0 0 1 0 14',
  logout: 'M8 3H4v14h4m4-11 4 4-4 4m4-4H8',
  search: 'M9 3a6 6 0 1 0 0 12A6 6 0 0 0 9 3zm4.5 10.5L17 17',
  columns: 'M3 4h14v12H3zm5 0v12m4-12v12',
  plus: 'M10 4v12M4 10h12',
  left: 'M12 4l-6 6 6 6',
  right: 'M8 4l6 6-6 6',
  up: 'M4 12l6-6 6 6',
  down: 'M4 8l6 6 6-6',
  trash: 'M4 6h12M8 6V4h4v2m-6.5 0 .7 11h7.6l.7-11',
  copy: 'M7 7h9v10H7zM4 13V3h9',
  check: 'M4 11l4 4 8-9',
  keys: 'M2 5h16v10H2zm3 3h.01M8 8h.01M11 8h.01M14 8h.01M6 12h8',
};

export const icon = (name) =>
  h('svg', { class: 'icon-image', viewBox: '0 0 20 20', 'aria-hidden': 'true' }, h('path', { d: PATHS[name] }));
