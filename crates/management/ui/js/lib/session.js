// Who is logged in. The token goes out as a header that only this page's script can add; there is
// no cookie, so no other site can act in the reader's name.

const KEY = 'leveret.session';
const STAY_HOURS = 8;

let session = read();

function read() {
  for (const store of [() => sessionStorage, () => localStorage]) {
    try {
      const found = JSON.parse(store().getItem(KEY));
      if (found?.token && !(found.until < Date.now())) return found;
      store().removeItem(KEY);
    } catch {
      // No storage, or not ours: as if nobody had logged in.
    }
  }
  return null;
}

export const current = () => session;
export const token = () => session?.token;
export const userName = () => session?.name;

/** `stay` keeps the session for other tabs and the next start of the browser, for some hours. */
export function begin(user, value, stay) {
  session = { name: user.name, tags: user.tags, token: value };
  if (stay) session.until = Date.now() + STAY_HOURS * 3_600_000;
  try {
    (stay ? localStorage : sessionStorage).setItem(KEY, JSON.stringify(session));
  } catch {
    // Without storage the session lasts as long as the page.
  }
}

export function renew(user) {
  if (session) Object.assign(session, { name: user.name, tags: user.tags });
}

export function end() {
  session = null;
  for (const store of [() => sessionStorage, () => localStorage]) {
    try {
      store().removeItem(KEY);
    } catch {
      // Nothing was stored.
    }
  }
}

export const expired = () => session?.until < Date.now();

// A tag includes those to its right: administrator > monitoring > management, and policymaker
// stands beside monitoring.
const MAY = {
  administrator: ['administrator'],
  monitoring: ['administrator', 'monitoring'],
  policymaker: ['administrator', 'policymaker'],
  management: ['administrator', 'monitoring', 'policymaker', 'management'],
};

export const may = (tag) => (session?.tags ?? []).some((held) => MAY[tag].includes(held));
