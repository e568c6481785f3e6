// What the names of arguments and policy keys mean, in a few words, for the forms' shortcuts.

const OVERFLOW = ['drop-head', 'reject-publish', 'reject-publish-dlx'];
const LOCATOR = ['client-local', 'balanced'];

const n = (key, about, placeholder) => ({ key, type: 'number', about, placeholder });
const s = (key, about, placeholder) => ({ key, type: 'string', about, placeholder });
const one = (key, about, values) => ({ key, type: 'string', about, values });

const TTL = n('x-message-ttl', 'Milliseconds after which a message is dead-lettered or dropped.', '60000');
const EXPIRES = n('x-expires', 'Milliseconds without use after which the queue is deleted.', '1800000');
const LENGTH = n('x-max-length', 'At most this many ready messages.', '10000');
const LENGTH_BYTES = n('x-max-length-bytes', 'At most this many bytes of ready message bodies.', '104857600');
const OVER = one('x-overflow', 'What happens at the limit: drop the oldest, or refuse new messages.', OVERFLOW);
const DLX = s('x-dead-letter-exchange', 'Where rejected and expired messages go.', 'dlx');
const DLK = s('x-dead-letter-routing-key', 'The routing key they go there with; their own if not set.');
const SAC = { key: 'x-single-active-consumer', type: 'boolean', about: 'One consumer at a time gets messages; the others stand by.', values: ['true', 'false'] };
const LEADER = one('x-queue-leader-locator', 'On which node the leader starts.', LOCATOR);

export const QUEUE_ARGUMENTS = {
  classic: [TTL, EXPIRES, LENGTH, LENGTH_BYTES, one('x-overflow', OVER.about, OVERFLOW), DLX, DLK, SAC,
    n('x-max-priority', 'Priorities 0 to this number, at most 255; few are best.', '5'), LEADER],
  quorum: [TTL, EXPIRES, LENGTH, LENGTH_BYTES, one('x-overflow', OVER.about, OVERFLOW.slice(0, 2)), DLX, DLK, SAC,
    n('x-delivery-limit', 'Failed attempts after which a message is dead-lettered or dropped; -1 for no limit.', '20'),
    n('x-quorum-initial-group-size', 'Members at the start.', '3'), LEADER,
    one('x-dead-letter-strategy', 'at-least-once needs overflow reject-publish.', ['at-most-once', 'at-least-once']),
    n('x-consumer-timeout', 'Milliseconds that a consumer may hold a message.', '1800000')],
  stream: [LENGTH_BYTES, s('x-max-age', 'How long messages are kept: Y, M, D, h, m, s.', '7D'),
    n('x-stream-max-segment-size-bytes', 'Size of the files that the stream is cut into.', '500000000'),
    n('x-stream-filter-size-bytes', 'Size of the filter in each chunk.', '16'),
    n('x-initial-cluster-size', 'Members at the start.', '3'), LEADER],
};
QUEUE_ARGUMENTS.default = QUEUE_ARGUMENTS.classic;

export const EXCHANGE_ARGUMENTS = [s('alternate-exchange', 'Where messages go that match no binding.', 'unrouted')];

export const POLICY_KEYS = [
  n('message-ttl', TTL.about, TTL.placeholder),
  n('expires', EXPIRES.about, EXPIRES.placeholder),
  n('max-length', LENGTH.about, LENGTH.placeholder),
  n('max-length-bytes', LENGTH_BYTES.about, LENGTH_BYTES.placeholder),
  one('overflow', OVER.about, OVERFLOW),
  s('dead-letter-exchange', DLX.about, DLX.placeholder),
  s('dead-letter-routing-key', DLK.about),
  n('delivery-limit', 'Quorum queues: failed attempts before a message is dead-lettered or dropped.', '20'),
  one('dead-letter-strategy', 'Quorum queues: at-least-once needs overflow reject-publish.', ['at-most-once', 'at-least-once']),
  n('consumer-timeout', 'Milliseconds that a consumer may hold a message.', '1800000'),
  one('queue-leader-locator', LEADER.about, LOCATOR),
  s('max-age', 'Streams: how long messages are kept.', '7D'),
  n('stream-max-segment-size-bytes', 'Streams: size of the files.', '500000000'),
  s('alternate-exchange', 'Exchanges: where messages go that match no binding.', 'unrouted'),
];

const OPERATOR = new Set(['message-ttl', 'expires', 'max-length', 'max-length-bytes', 'overflow', 'delivery-limit', 'consumer-timeout']);
export const OPERATOR_KEYS = POLICY_KEYS.filter((hint) => OPERATOR.has(hint.key));

export const APPLY_TO = [['all', 'Exchanges and queues'], ['exchanges', 'Exchanges'], ['queues', 'All queues'], ['classic_queues', 'Classic queues'], ['quorum_queues', 'Quorum queues'], ['streams', 'Streams']];

export const BINDING_ARGUMENTS = [
  one('x-match', 'Headers exchanges: whether all or any of the headers must match.', ['all', 'any', 'all-with-x', 'any-with-x']),
];

const PRIORITY = n('priority', 'For queues with priorities.', '0');
export const PROPERTIES = [
  s('content_type', 'For example application/json.', 'application/json'), s('content_encoding', 'For example gzip.'),
  n('delivery_mode', '2 is persistent, 1 is not.', '2'), PRIORITY,
  s('correlation_id', 'Which request an answer belongs to.'), s('reply_to', 'Where answers go.'),
  s('expiration', 'Milliseconds to live, as a string.', '60000'), s('message_id', 'The message’s own name.'),
  n('timestamp', 'Seconds since 1970.'), s('type', 'The message’s kind.'), s('app_id', 'Who sent it.'), s('user_id', 'Must be the user who publishes.'),
];
