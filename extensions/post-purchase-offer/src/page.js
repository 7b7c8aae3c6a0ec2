/**
 * Draws an offer with the components that Shopify allows on the post-purchase page.
 *
 * Shown before the shopper decides, as Shopify's review asks: product, price, discount, shipping, tax and total. Accept
 * and decline are the same kind of button, one above the other.
 */
import {
  Banner,
  BlockStack,
  Button,
  CalloutBanner,
  Heading,
  HeadingGroup,
  Image,
  Layout,
  Separator,
  Text,
  TextBlock,
  TextContainer,
  Tiles,
  View,
} from '@shopify/post-purchase-ui-extensions';
import { isNothing, writeMinorUnits, writeMoneyBag } from './money.js';

const WIDTHS = {
  maxInlineSize: 0.95,
  media: [
    { viewportSize: 'small', sizes: [1, 30, 1] },
    { viewportSize: 'medium', sizes: [300, 30, 0.5] },
    { viewportSize: 'large', sizes: [400, 30, 0.33] },
  ],
};

/** Clears the page and draws the offer; the total and the accept button wait for `showCost`. */
export function drawOffer(root, offer, { words, locale }) {
  const make = maker(root);
  const cost = make(BlockStack, { spacing: 'xtight' });
  const problem = make(BlockStack, {});
  const accept = make(Button, { loading: true, loadingLabel: words.preparing }, words.preparing);
  const declineButton = make(Button, {}, words.decline);
  const details = make(
    BlockStack,
    {},
    ...itemised(make, offer, locale),
    priceLine(make, offer, { words, locale }),
    ...benefitLines(make, offer),
    make(Separator, {}),
    cost,
    problem,
    make(BlockStack, { spacing: 'tight' }, accept, declineButton),
  );
  const pictures = make(BlockStack, {}, ...images(make, offer));
  replaceAll(root, [
    make(
      BlockStack,
      { spacing: 'loose' },
      make(CalloutBanner, { title: offer.headline }, ...reasons(make, offer)),
      make(Layout, WIDTHS, make(View, {}, pictures), make(View, {}), make(View, {}, make(HeadingGroup, {}, details))),
    ),
  ]);
  return {
    onAccept: (react) => accept.updateProps({ onPress: react }),
    onDecline: (react) => declineButton.updateProps({ onPress: react }),
    setBusy: (isBusy) => {
      accept.updateProps({ loading: isBusy, loadingLabel: words.adding });
      declineButton.updateProps({ disabled: isBusy });
    },
    showProblem: (text) => replaceAll(problem, [make(Banner, { status: 'critical' }, text)]),
    showCost: (purchase) => {
      replaceAll(cost, costLines(make, offer, purchase, { words, locale }));
      replaceAll(accept, [words.pay(writeMoneyBag(purchase.totalOutstandingSet, locale))]);
      accept.updateProps({ loading: false });
    },
  };
}

/** The last page when something was refused: what happened, and one way on. */
export function drawEnding(root, { title, text, button }, onGo) {
  const make = maker(root);
  replaceAll(root, [
    make(
      BlockStack,
      { spacing: 'loose' },
      make(Banner, { status: 'warning', title }, text),
      make(Layout, { maxInlineSize: 480 }, make(Button, { onPress: onGo }, button)),
    ),
  ]);
}

function itemised(make, offer, locale) {
  return offer.items.map((item) => {
    const lines = [make(Heading, {}, item.title)];
    if (item.variant_title) lines.push(make(TextBlock, { subdued: true }, item.variant_title));
    const times = item.quantity > 1 ? `${item.quantity} × ` : '';
    if (times || offer.items.length > 1) {
      lines.push(make(TextBlock, {}, `${times}${writeMinorUnits(item.price, locale)}`));
    }
    return make(TextContainer, { spacing: 'tight' }, ...lines);
  });
}

function images(make, offer) {
  return offer.items
    .filter((item) => item.image?.url)
    .map((item) => make(Image, { source: item.image.url, description: item.image.alt || item.title }));
}

function priceLine(make, offer, { words, locale }) {
  const wasMore = offer.original_total && offer.original_total.minor_units > offer.total.minor_units;
  const parts = [make(Text, { size: 'large', emphasized: true }, writeMinorUnits(offer.total, locale))];
  if (wasMore) {
    parts.unshift(make(Text, { role: 'deletion', size: 'large' }, writeMinorUnits(offer.original_total, locale)), ' ');
  }
  if (wasMore)
    parts.push(' ', make(Text, { appearance: 'success', emphasized: true }, words.save(saved(offer, locale))));
  return make(TextContainer, {}, make(TextBlock, {}, ...parts));
}

/** What is saved, as the merchant gives it: a share of the price, or an amount. */
function saved({ discount, original_total: before, total }, locale) {
  if (discount) {
    const percent = { style: 'percent', maximumFractionDigits: 2 };
    return new Intl.NumberFormat(locale, percent).format(discount.basis_points / 10000);
  }
  return writeMinorUnits({ ...total, minor_units: before.minor_units - total.minor_units }, locale);
}

function reasons(make, { why }) {
  return [why?.text, why?.fact].filter(Boolean).map((text) => make(TextBlock, {}, text));
}

function benefitLines(make, { benefits = [] }) {
  return benefits.map((text) => make(TextBlock, { size: 'small' }, text));
}

function costLines(make, offer, purchase, { words, locale }) {
  const line = (label, amount, isTotal = false) => {
    const size = isTotal ? 'medium' : 'small';
    const text = (content, alignment) =>
      make(TextContainer, { alignment }, make(TextBlock, { size, emphasized: isTotal }, content));
    return make(Tiles, { maxPerLine: 2 }, text(label, 'leading'), text(amount, 'trailing'));
  };
  const write = (bag) => writeMoneyBag(bag, locale);
  const shipping = (purchase.addedShippingLines ?? []).filter((each) => !isNothing(each.priceSet));
  const taxes = (purchase.addedTaxLines ?? []).filter((each) => !isNothing(each.priceSet));
  return [
    line(words.subtotal, writeMinorUnits(offer.total, locale)),
    ...(shipping.length
      ? shipping.map((each) => line(words.shipping, write(each.priceSet)))
      : [line(words.shipping, words.free)]),
    ...taxes.map((each) => line(each.title || words.taxes, write(each.priceSet))),
    make(Separator, {}),
    line(words.total, write(purchase.totalOutstandingSet), true),
  ];
}

function maker(root) {
  return (component, props, ...children) => root.createComponent(component, props, children);
}

function replaceAll(parent, children) {
  for (const child of parent.children) parent.removeChild(child);
  for (const child of children) parent.appendChild(child);
}
