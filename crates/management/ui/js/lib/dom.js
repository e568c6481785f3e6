// A small virtual DOM: pages say what they look like, `render` changes only what differs. What a
// reader typed, opened, focused or scrolled to outlives a refresh because its element does.
//
// Text always becomes a text node: nothing a broker names can turn into markup.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'path', 'line', 'g', 'circle', 'rect', 'polyline', 'marker', 'defs']);

/** An element. `props` are attributes; `on…` handlers, `value`, `checked`, `style` (an object),
 * `key`, `onmount(element)` and `onunmount(element)` are special. */
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, key: props?.key, children: flat(children) };
}

function flat(children) {
  return children.flat(Infinity).map((child) =>
    // A blank keeps the place of what is not shown now, so its neighbours keep their elements.
    child === null || child === undefined || child === false || child === true
      ? text('')
      : typeof child === 'object' ? child : text(String(child)));
}

const text = (content) => ({ tag: '#text', props: {}, children: [], content });

/** Makes `host`'s children look like `nodes`. */
export function render(host, nodes) {
  const next = flat([nodes]);
  reconcile(host, host.vnodes ?? [], next);
  host.vnodes = next;
}

function create(vnode) {
  if (vnode.tag === '#text') {
    vnode.dom = document.createTextNode(vnode.content);
    return vnode.dom;
  }
  const dom = SVG_TAGS.has(vnode.tag)
    ? document.createElementNS(SVG, vnode.tag) : document.createElement(vnode.tag);
  vnode.dom = dom;
  reconcile(dom, [], vnode.children);
  for (const [name, value] of Object.entries(vnode.props)) set(dom, name, value, undefined);
  if (vnode.props.onmount) queueMicrotask(() => vnode.props.onmount(dom));
  return dom;
}

function update(old, vnode) {
  const dom = (vnode.dom = old.dom);
  if (vnode.tag === '#text') {
    if (old.content !== vnode.content) dom.data = vnode.content;
    return;
  }
  reconcile(dom, old.children, vnode.children);
  for (const name of Object.keys(old.props)) {
    if (!(name in vnode.props)) set(dom, name, undefined, old.props[name]);
  }
  for (const [name, value] of Object.entries(vnode.props)) {
    if (old.props[name] !== value) set(dom, name, value, old.props[name]);
  }
}

function set(dom, name, value, before) {
  if (name === 'key' || name === 'onmount' || name === 'onunmount') return;
  if (name.startsWith('on')) {
    // What a handler returns must not count: `false` would cancel the event.
    dom[name] = value ? (event) => void value(event) : null;
  } else if (name === 'style') {
    for (const rule of Object.keys(before ?? {})) if (!(rule in (value ?? {}))) dom.style.removeProperty(rule);
    for (const [rule, setting] of Object.entries(value ?? {})) dom.style.setProperty(rule, setting);
  } else if (name === 'value' || name === 'checked' || name === 'indeterminate' || name === 'selected') {
    dom[name] = value ?? (name === 'value' ? '' : false);
  } else if (value === undefined || value === null || value === false) {
    dom.removeAttribute(name);
  } else {
    dom.setAttribute(name, value === true ? '' : value);
  }
}

function reconcile(parent, olds, news) {
  const places = new Map();
  olds.forEach((old, index) => places.set(old.key ?? index, old));
  const kept = new Set();
  news.forEach((vnode, index) => {
    const old = places.get(vnode.key ?? index);
    if (old && old.tag === vnode.tag && !kept.has(old)) {
      kept.add(old);
      vnode.old = old;
    }
  });
  for (const old of olds) if (!kept.has(old)) remove(old);
  let cursor = parent.firstChild;
  for (const vnode of news) {
    const dom = vnode.old ? vnode.old.dom : create(vnode);
    if (vnode.old) update(vnode.old, vnode);
    vnode.old = undefined;
    if (dom === cursor) cursor = cursor.nextSibling;
    else parent.insertBefore(dom, cursor);
  }
}

function remove(vnode) {
  unmount(vnode);
  vnode.dom.remove();
}

function unmount(vnode) {
  vnode.props.onunmount?.(vnode.dom);
  vnode.children.forEach(unmount);
}
