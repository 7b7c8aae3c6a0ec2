/**
 * Keeps an HTML tree equal to the remote tree that the extension builds. Nodes are kept by id, so a button that changes
 * its label keeps its focus.
 */

const noChange = () => {};

/** How each component becomes an element. `draw(element, props)` runs on every change of the props. */
const DRAWINGS = {
  Banner: { tag: 'section', draw: drawBanner },
  BlockStack: { tag: 'div' },
  Bookend: { tag: 'div' },
  Button: { tag: 'button', draw: drawButton },
  ButtonGroup: { tag: 'div' },
  BuyerConsent: { tag: 'label', draw: drawConsent },
  CalloutBanner: { tag: 'section', draw: drawCallout },
  Checkbox: { tag: 'label', draw: drawConsent },
  Heading: { tag: 'h2', draw: drawHeading },
  HeadingGroup: { tag: 'div' },
  HiddenForAccessibility: { tag: 'div', draw: (element) => element.setAttribute('aria-hidden', 'true') },
  Image: { tag: 'img', draw: drawImage },
  InlineStack: { tag: 'div' },
  Layout: { tag: 'div', draw: drawLayout },
  Link: { tag: 'a', draw: drawLink },
  Separator: { tag: 'hr' },
  Spinner: { tag: 'span', draw: (element) => element.setAttribute('role', 'status') },
  Text: { tag: 'span', draw: drawText },
  TextBlock: { tag: 'p', draw: drawText },
  TextContainer: { tag: 'div' },
  Tiles: { tag: 'div' },
  View: { tag: 'div' },
  VisuallyHidden: { tag: 'span' },
};

/** What an extension may create; anything else is refused, as Shopify does. */
export const COMPONENTS = Object.keys(DRAWINGS);

const SHOWN_PROPS = ['spacing', 'alignment', 'size', 'appearance', 'status', 'subdued', 'emphasized', 'plain'];

/** Draw the receiver's tree into the element, now and after every change. */
export function drawInto(host, receiver) {
  const elements = new Map();
  const { attached } = receiver;

  function elementFor(node) {
    const known = elements.get(node.id);
    if (known) return known;
    const made = 'text' in node ? document.createTextNode(node.text) : componentElement(node);
    elements.set(node.id, made);
    attached.subscribe(node, (changed) => refresh(made, changed));
    refresh(made, node);
    return made;
  }

  function refresh(element, node) {
    if ('text' in node) {
      element.data = node.text;
      return;
    }
    if (node.type) drawProps(element, node);
    placeChildren(element, node.children.map(elementFor));
  }

  attached.subscribe(attached.root, (root) => refresh(host, root));
  refresh(host, attached.root);
}

/** Only children that moved are touched: taking an element out and back would lose its focus. */
function placeChildren(element, children) {
  const own = [...element.childNodes].filter((child) => !child.isHostMade);
  for (const child of own) if (!children.includes(child)) child.remove();
  let previous = [...element.childNodes].findLast((child) => child.isHostMade);
  for (const child of children) {
    const expected = previous ? previous.nextSibling : element.firstChild;
    if (child !== expected) element.insertBefore(child, expected);
    previous = child;
  }
}

function componentElement(node) {
  const element = document.createElement(DRAWINGS[node.type].tag);
  element.className = `pp pp-${node.type}`;
  return element;
}

function drawProps(element, { type, props }) {
  for (const name of SHOWN_PROPS) {
    const value = props[name];
    if (value === undefined || value === false) element.removeAttribute(`data-${name}`);
    else element.setAttribute(`data-${name}`, String(value));
  }
  (DRAWINGS[type].draw ?? noChange)(element, props);
}

/** A part that the component itself draws, before the children that the extension gives it. */
function hostMade(element, tag, className) {
  const found = [...element.children].find((child) => child.isHostMade && child.className === className);
  if (found) return found;
  const made = Object.assign(document.createElement(tag), { className, isHostMade: true });
  element.prepend(made);
  return made;
}

function drawBanner(element, { status = 'info', title }) {
  element.setAttribute('role', status === 'critical' ? 'alert' : 'status');
  element.dataset.status = status;
  if (title) hostMade(element, 'strong', 'pp-title').textContent = title;
}

function drawCallout(element, { title }) {
  if (title) hostMade(element, 'h1', 'pp-title').textContent = title;
}

function drawButton(element, { onPress, disabled, loading, loadingLabel }) {
  element.type = 'button';
  element.disabled = Boolean(disabled || loading);
  element.setAttribute('aria-busy', String(Boolean(loading)));
  if (loading && loadingLabel) element.setAttribute('aria-label', loadingLabel);
  else element.removeAttribute('aria-label');
  element.onclick = () => onPress?.();
}

function drawConsent(element, { checked, onChange, error }) {
  const box = hostMade(element, 'input', 'pp-box');
  box.type = 'checkbox';
  box.checked = Boolean(checked);
  box.onchange = () => onChange?.(box.checked);
  box.setAttribute('aria-invalid', String(Boolean(error)));
}

function drawHeading(element, { level = 2, role }) {
  element.dataset.level = level;
  if (role) element.setAttribute('role', role);
}

function drawImage(element, { source, description, decorative, loading, aspectRatio, fit }) {
  element.src = source;
  element.alt = decorative ? '' : (description ?? '');
  element.loading = loading ?? 'eager';
  element.style.aspectRatio = aspectRatio ?? '1';
  element.style.objectFit = fit ?? 'cover';
}

/** Sizes below or equal to 1 share the room that pixel sizes leave. Where it is narrow the sections stack. */
function drawLayout(element, { maxInlineSize, sizes, media = [] }) {
  const large = media.find((each) => each.viewportSize === 'large')?.sizes ?? sizes;
  const column = (size) => (size === 'auto' ? 'auto' : size > 1 ? `${size}px` : 'minmax(0, 1fr)');
  element.style.setProperty('--pp-columns', (large ?? [1]).map(column).join(' '));
  if (maxInlineSize)
    element.style.maxInlineSize = maxInlineSize <= 1 ? `${maxInlineSize * 100}%` : `${maxInlineSize}px`;
}

function drawLink(element, { to, onPress, external }) {
  element.href = to ?? '#';
  if (external) Object.assign(element, { target: '_blank', rel: 'noopener' });
  element.onclick = () => onPress?.();
}

function drawText(element, { role }) {
  const isDeleted = role === 'deletion';
  element.classList.toggle('pp-deleted', isDeleted);
  if (isDeleted) element.setAttribute('role', 'deletion');
}
