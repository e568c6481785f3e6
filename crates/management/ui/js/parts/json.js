// JSON to read: laid out, its names and values told apart by colour.

import { h } from '../lib/dom.js';

/** Longer texts stay plain: each word of a coloured one is an element. */
const COLOURED_MAX = 8 * 1024;
const WORDS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Deeper texts stay as they are: each level moves all that is in it to the right. */
const DEPTH_MAX = 64;
const TOKENS = /"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** The text laid out, each of its words as it came (a browser's numbers have 53 bits); null for what
 * is not an object or a list. */
export function layOut(text) {
  if (!/^\s*[{[]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    // Not JSON after all, or cut off.
    return null;
  }
  let laid = '';
  let depth = 0;
  let opened = false;
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(TOKENS)) {
    const closes = token === '}' || token === ']';
    if (closes) depth -= 1;
    if (closes !== opened) laid += line();
    opened = token === '{' || token === '[';
    if (opened) depth += 1;
    if (depth > DEPTH_MAX) return null;
    laid += token === ':' ? ': ' : token;
    if (token === ',') laid += line();
  }
  return laid;
}

/** Laid-out JSON as nodes. */
export function coloured(text) {
  if (text.length > COLOURED_MAX) return text;
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(WORDS)) {
    const [word, string, colon] = match;
    nodes.push(text.slice(end, match.index), h('span', { class: colon ? 'json-name' : string ? 'json-text' : 'json-value' }, colon ? string : word), colon ?? '');
    end = match.index + word.length;
  }
  return [...nodes, text.slice(end)];
}
