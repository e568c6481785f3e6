// Copies text, and says so.

import { h } from '../lib/dom.js';
import { icon } from './icons.js';
import { toast } from './toast.js';

/** `what` names the text in the words that follow. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast('The browser did not let the page copy. Select the text instead.', 'warn');
  }
}

export const copyButton = (text, what) =>
  h('button', { class: 'button plain icon small copy', type: 'button', title: `Copy ${what.toLowerCase()}`, 'aria-label': `Copy ${what.toLowerCase()}`, onclick: () => copy(text, what) }, icon('copy'));
