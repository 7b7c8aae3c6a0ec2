/** Amounts as the shopper reads them. The app sends integer minor units, Shopify sends decimal strings. */

// ISO 4217 minor units. Not Intl's: it follows CLDR, where HUF, COP and IDR have none: a price a hundred times too high.
const NO_DIGITS = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'.split(' ');
const THREE_DIGITS = 'BHD IQD JOD KWD LYD OMR TND'.split(' ');

function digitsOf(currency) {
  if (NO_DIGITS.includes(currency)) return 0;
  return THREE_DIGITS.includes(currency) ? 3 : 2;
}

function write(amount, currency, locale) {
  const style = { style: 'currency', currency, maximumFractionDigits: digitsOf(currency) };
  return new Intl.NumberFormat(locale, style).format(amount);
}

/** `{minor_units, currency}` of the app's. */
export function writeMinorUnits({ minor_units: units, currency }, locale) {
  return write(units / 10 ** digitsOf(currency), currency, locale);
}

/** A `MoneyBag` of Shopify's, in the currency that the shopper pays in. */
export function writeMoneyBag({ presentmentMoney: { amount, currencyCode } }, locale) {
  return write(Number(amount), currencyCode, locale);
}

export function isNothing({ presentmentMoney: { amount } }) {
  return Number(amount) === 0;
}
