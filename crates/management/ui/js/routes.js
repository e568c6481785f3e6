// Every page: its address, its file, and its place in the navigation. A page is one file and one
// line here; `may` is the least tag that is shown the way to it.

export const GROUPS = ['Monitor', 'Admin'];

export const routes = [
  { path: '', page: () => import('./pages/overview.js'), group: 'Monitor', nav: 'Overview', icon: 'overview' },
  { path: 'connections', page: () => import('./pages/connections.js'), group: 'Monitor', nav: 'Connections', icon: 'connections' },
  { path: 'connections/:name', page: () => import('./pages/connection.js'), under: 'connections' },
  { path: 'channels', page: () => import('./pages/channels.js'), group: 'Monitor', nav: 'Channels', icon: 'channels' },
  { path: 'channels/:name', page: () => import('./pages/channel.js'), under: 'channels' },
  { path: 'exchanges', page: () => import('./pages/exchanges.js'), group: 'Monitor', nav: 'Exchanges', icon: 'exchanges' },
  { path: 'exchanges/:vhost/:name', page: () => import('./pages/exchange.js'), under: 'exchanges' },
  { path: 'queues', page: () => import('./pages/queues.js'), group: 'Monitor', nav: 'Queues and streams', icon: 'queues' },
  { path: 'queues/:vhost/:name', page: () => import('./pages/queue.js'), under: 'queues' },
  { path: 'stream/connections', page: () => import('./pages/stream-connections.js'), group: 'Monitor', nav: 'Stream connections', icon: 'streams' },
  { path: 'stream/connections/:vhost/:name', page: () => import('./pages/stream-connection.js'), under: 'stream/connections' },
  { path: 'users', page: () => import('./pages/users.js'), group: 'Admin', nav: 'Users', icon: 'users', may: 'administrator' },
  { path: 'users/:name', page: () => import('./pages/user.js'), under: 'users', may: 'administrator' },
  { path: 'vhosts', page: () => import('./pages/vhosts.js'), group: 'Admin', nav: 'Virtual hosts', icon: 'vhosts', may: 'administrator' },
  { path: 'vhosts/:name', page: () => import('./pages/vhost.js'), under: 'vhosts', may: 'administrator' },
  { path: 'policies', page: () => import('./pages/policies.js'), group: 'Admin', nav: 'Policies', icon: 'policies', may: 'management' },
  { path: 'limits', page: () => import('./pages/limits.js'), group: 'Admin', nav: 'Limits', icon: 'limits', may: 'administrator' },
  { path: 'definitions', page: () => import('./pages/definitions.js'), group: 'Admin', nav: 'Definitions', icon: 'definitions', may: 'administrator' },
  { path: 'feature-flags', page: () => import('./pages/feature-flags.js'), group: 'Admin', nav: 'Feature flags', icon: 'flags', may: 'administrator' },
  { path: 'deprecated-features', page: () => import('./pages/deprecated-features.js'), group: 'Admin', nav: 'Deprecated features', icon: 'deprecated', may: 'administrator' },
  { path: 'cluster-name', page: () => import('./pages/cluster.js'), group: 'Admin', nav: 'Cluster', icon: 'cluster', may: 'monitoring' },
  { path: 'nodes/:name', page: () => import('./pages/node.js'), under: 'cluster-name', may: 'monitoring' },
];
