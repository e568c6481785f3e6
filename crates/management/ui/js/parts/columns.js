// Columns that several lists have.

import * as format from '../lib/format.js';
import { figure, tag, userLink, vhostLink } from './bits.js';

// One vhost for all rows says nothing in each of them.
const severalVhosts = (ctx) => !ctx.vhost && ctx.around.vhosts?.length !== 1;

export const vhostColumn = { id: 'vhost', title: 'Vhost', label: 'Virtual host', sort: 'vhost', needs: ['vhost'], when: severalVhosts, cell: (row) => (row.vhost === undefined || row.vhost === 'none' ? format.NONE : vhostLink(row.vhost)) };

export const userColumn = { id: 'user', title: 'User', sort: 'user', needs: ['user'], cell: (row) => userLink(row.user ?? format.NONE) };

/** A rate of `message_stats`. */
export const rateColumn = (id, title, key, hidden) => ({
  id, title, num: true, hidden, sort: `message_stats.${key}_details.rate`, needs: [`message_stats.${key}_details.rate`],
  cell: (row) => figure(row.message_stats?.[`${key}_details`]?.rate, format.rate),
});

export const countColumn = (key, title, hidden, show = format.count) => ({
  id: key, title, num: true, hidden, sort: key, needs: [key], cell: (row) => figure(row[key], show),
});

export const byteRateColumn = (id, title, key) => ({
  id, title, num: true, sort: `${key}_details.rate`, needs: [`${key}_details.rate`], cell: (row) => figure(row[`${key}_details`]?.rate, format.byteRate),
});

export const nodeColumn = { id: 'node', title: 'Node', hidden: true, sort: 'node', needs: ['node'], cell: (row) => row.node ?? format.NONE };

export const tlsColumn = { id: 'tls', title: 'TLS', inline: true, sort: 'ssl', needs: ['ssl', 'ssl_protocol', 'ssl_cipher'], cell: (row) => (row.ssl ? tag(row.ssl_protocol ?? 'TLS', row.ssl_cipher ?? '', 'good') : tag('plain', 'Not encrypted')) };
