/**
 * What the page says. Post-purchase extensions have no locale files, so the words are here.
 *
 * The German accept label says that it orders and pays ("Zahlungspflichtig bestellen", Section 312j BGB).
 */

const en = {
  pay: (total) => `Pay now · ${total}`,
  preparing: 'Calculating your total',
  adding: 'Adding to your order',
  decline: 'No thanks',
  save: (percent) => `Save ${percent}`,
  subtotal: 'Subtotal',
  shipping: 'Shipping',
  free: 'Free',
  taxes: 'Taxes',
  total: 'Total to pay now',
  notAdded: 'This could not be added',
  notSigned: 'This could not be added. You have not been charged for it. You can try again.',
  orderUnaffected: 'Your order is complete and has not changed.',
  goOn: 'Continue to your order',
  problems: {
    payment_required: 'The payment did not go through.',
    insufficient_inventory: 'It has just sold out.',
    unsupported_payment_method: 'Your payment method does not allow additions.',
    order_released_error: 'The time for additions is over.',
    other: 'Something went wrong on our side.',
  },
};

const de = {
  pay: (total) => `Zahlungspflichtig bestellen · ${total}`,
  preparing: 'Betrag wird berechnet',
  adding: 'Wird zur Bestellung hinzugefügt',
  decline: 'Nein danke',
  save: (percent) => `${percent} sparen`,
  subtotal: 'Zwischensumme',
  shipping: 'Versand',
  free: 'Kostenlos',
  taxes: 'Steuern',
  total: 'Jetzt zu zahlen',
  notAdded: 'Das konnte nicht hinzugefügt werden',
  notSigned: 'Das konnte nicht hinzugefügt werden. Es wurde nichts berechnet. Sie können es erneut versuchen.',
  orderUnaffected: 'Ihre Bestellung ist vollständig und unverändert.',
  goOn: 'Weiter zur Bestellung',
  problems: {
    payment_required: 'Die Zahlung wurde nicht angenommen.',
    insufficient_inventory: 'Der Artikel ist gerade ausverkauft.',
    unsupported_payment_method: 'Ihre Zahlungsart erlaubt keine Ergänzung.',
    order_released_error: 'Die Bestellung kann nicht mehr ergänzt werden.',
    other: 'Bei uns ist etwas schiefgegangen.',
  },
};

const WORDS = { en, de };

/** Words for a locale such as "de-AT"; English where there are none. */
export function wordsFor(locale) {
  return (
    WORDS[
      String(locale ?? '')
        .split('-')[0]
        .toLowerCase()
    ] ?? en
  );
}
