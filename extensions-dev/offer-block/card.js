/** Draws one offer from the markup in blocks/offer.liquid. Everything is written as text, never as markup. */
import { writeMinorUnits as money } from '../../extensions/post-purchase-offer/src/money.js';

const LONGEST_NAME = 40;

export const part = (within, name) => within.querySelector(`[data-wp="${name}"]`);

/** A function that writes a text into every part of a name. */
export function writer(within) {
  return (name, text) => {
    for (const one of within.querySelectorAll(`[data-wp="${name}"]`)) one.textContent = text;
  };
}

const copy = (block, name) => part(block, name).content.firstElementChild.cloneNode(true);

/** How the shopper is greeted. The name is on the page only for those who are logged in, and is sent to nobody. */
export function greetingOf(greeting, name) {
  if (!greeting) return '';
  // A name with braces, or as long as a sentence, is none.
  const isName = name && name.length <= LONGEST_NAME && !/[{}]/.test(name);
  return isName ? greeting.with_name.replaceAll('{first_name}', () => name) : greeting.without_name;
}

/** The card of an offer, without its reactions. `onLook` hears of a click on a product. */
export function drawCard(block, offer, onLook) {
  const { items, why, headline, total, original_total, saving, benefits, replaces } = offer;
  const { locale, textSave, textAdd, textReplace } = block.dataset;
  const card = copy(block, 'card');
  const write = writer(card);
  card.offer = offer;
  card.label = replaces ? textReplace : textAdd;
  card.dataset.items = items.length;
  write('headline', headline);
  write('label', card.label);
  write('name', items.map((item) => item.title).join(', '));
  write('amount', money(total, locale));
  if (block.dataset.why === 'true') {
    write('why', why?.text);
    write('fact', why?.fact ?? '');
  }
  if (saving)
    write(
      'saving',
      textSave.replace('{amount}', () => money(saving, locale)),
    );
  const rows = items.map((item) => drawItem(block, item, () => onLook(card)));
  part(card, 'items').append(...rows);
  part(card, 'benefits').append(...(benefits ?? []).map((text) => benefitOf(text)));
  part(card, 'total').hidden = items.length === 1 && items[0].quantity === 1;
  strike(part(card, 'total'), original_total, locale);
  return card;
}

function drawItem(block, { title, variant_title, url, image, quantity, price, original_price }, onLook) {
  const { locale } = block.dataset;
  const row = copy(block, 'item');
  const write = writer(row);
  const link = part(row, 'title');
  const address = new URL(block.root + url.replace(/^\//, ''), location);
  if (address.origin === location.origin) link.href = address;
  link.onclick = onLook;
  write('title', title);
  write('variant', variant_title);
  write('quantity', quantity > 1 ? `${quantity} × ` : '');
  write('price', money(price, locale));
  strike(row, original_price, locale);
  if (image) Object.assign(part(row, 'image'), { src: image.url, alt: image.alt || '' });
  return row;
}

/** The price before, struck through, where the app says that exactly this much less is charged. */
function strike(within, before, locale) {
  part(within, 'before').hidden = !before;
  if (before) writer(within)('was', money(before, locale));
}

function benefitOf(text) {
  const line = document.createElement('li');
  line.textContent = text;
  return line;
}
