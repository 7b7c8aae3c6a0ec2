/**
 * Renders the theme block as a storefront does: the real Liquid, the real translations, Shopify's filters in short.
 * The dev store renders the same file with its own engine; this one is for tests that never leave Node.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Liquid, Tag } from 'liquidjs';

export const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const THEME = path.join(REPOSITORY, 'extensions/upsell-theme');
const DEFAULT_SETTINGS = { heading: '', max_offers: 3, show_why: true, proxy_path: 'apps/wellpaired' };

class SchemaTag extends Tag {
  constructor(token, rest, liquid) {
    super(token, rest, liquid);
    while (rest.length && rest.shift().name !== 'endschema');
  }

  render() {}
}

export function translations(locale) {
  const name = locale === 'en' ? 'en.default' : locale;
  return JSON.parse(fs.readFileSync(path.join(THEME, 'locales', `${name}.json`), 'utf8'));
}

const ENGLISH_PRODUCT_PAGE = {
  settings: {},
  pageType: 'product',
  locale: 'en',
  root: '/',
  designMode: false,
  address: '/products/product-1',
  customer: null,
};

/** The block's HTML. `changes` names what differs from an English product page that a guest looks at. */
export function renderBlock(changes) {
  const { settings, pageType, locale, root, designMode, address, customer } = { ...ENGLISH_PRODUCT_PAGE, ...changes };
  const engine = new Liquid({ strictFilters: true });
  const words = translations(locale);
  engine.registerTag('schema', SchemaTag);
  engine.registerFilter('t', (key) => {
    const text = key.split('.').reduce((found, part) => found?.[part], words);
    if (typeof text !== 'string') throw new Error(`no translation for ${key}`);
    return text;
  });
  const source = fs.readFileSync(path.join(THEME, 'blocks/offer.liquid'), 'utf8');
  return engine.parseAndRenderSync(source, {
    block: { id: 'b1', shopify_attributes: '', settings: { ...DEFAULT_SETTINGS, ...settings } },
    product: pageType === 'product' ? { id: 1 } : null,
    cart: { currency: { iso_code: 'USD' } },
    customer,
    localization: { market: { handle: 'us' }, country: { iso_code: 'US' } },
    request: { page_type: pageType, path: address, locale: { iso_code: locale }, design_mode: designMode },
    routes: { root_url: root, cart_url: `${root === '/' ? '' : root}/cart` },
  });
}
