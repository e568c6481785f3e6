// Numbers and times for people.

const COUNT = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const DECIMAL = ['', 'k', 'M', 'G', 'T'];

/** What stands where the broker says nothing. Never a zero that nobody counted. */
export const NONE = '–';

const known = (value) => typeof value === 'number' && Number.isFinite(value);

export const count = (value) => (known(value) ? COUNT.format(value) : NONE);

/** At most four digits: 12,345,678 is `12.3M`. */
export function short(value) {
  if (!known(value)) return NONE;
  if (Math.abs(value) < 10_000) return Number.isInteger(value) ? COUNT.format(value) : digits(value);
  const power = Math.min(DECIMAL.length - 1, Math.floor(Math.log10(Math.abs(value)) / 3));
  return digits(value / 1000 ** power) + DECIMAL[power];
}

export function bytes(value) {
  if (!known(value)) return NONE;
  const power = value < 1 ? 0 : Math.min(BINARY.length - 1, Math.floor(Math.log2(value) / 10));
  return `${power ? digits(value / 1024 ** power) : Math.round(value)} ${BINARY[power]}`;
}

export const rate = (value) => (known(value) ? `${value === 0 ? 0 : short(round(value))}/s` : NONE);
export const byteRate = (value) => (known(value) ? `${bytes(value)}/s` : NONE);
export const percent = (value) => (known(value) ? `${value > 0 && value < 0.01 ? '<1' : Math.round(value * 100)}%` : NONE);

const round = (value) => (value >= 100 ? Math.round(value) : Math.round(value * 10) / 10);
const digits = (value) => String(Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 10) / 10);

const SPANS = [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000]];

/** A length of time by its two largest units: `3 d 4 h`. */
export function span(ms) {
  if (!known(ms)) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const first = SPANS.findIndex(([, size]) => ms >= size);
  const [unit, size] = SPANS[first];
  const rest = SPANS[first + 1] && Math.floor((ms % size) / SPANS[first + 1][1]);
  return `${Math.floor(ms / size)} ${unit}` + (rest ? ` ${rest} ${SPANS[first + 1][0]}` : '');
}

const TWO = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
const CLOCK = new Intl.DateTimeFormat('en-GB', TWO);
const MINUTE = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const DATE = new Intl.DateTimeFormat('en-GB', { year: 'numeric', month: 'short', day: 'numeric', ...TWO });

const moment = (value) => {
  const date = new Date(value);
  return value === null || value === undefined || Number.isNaN(date.getTime()) ? null : date;
};

export const clock = (value) => (moment(value) ? CLOCK.format(moment(value)) : NONE);
export const minute = (value) => (moment(value) ? MINUTE.format(moment(value)) : NONE);
export const date = (value) => (moment(value) ? DATE.format(moment(value)) : NONE);

/** How long before `now` something was: `3 min ago`. */
export function ago(value, now) {
  const then = moment(value);
  return then ? `${span(Math.max(0, now - then.getTime()))} ago` : NONE;
}

/** `1 queue`, `2 queues`. */
export const plural = (number, one, many = one + 's') => `${count(number)} ${number === 1 ? one : many}`;

/** A value of an argument or a property, on one line. */
export const value = (thing) => (typeof thing === 'string' ? thing : JSON.stringify(thing));

export const exchangeName = (name) => (name === '' ? '(default)' : name);
