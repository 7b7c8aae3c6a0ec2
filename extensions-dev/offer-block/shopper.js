/**
 * What the browser knows of the shopper: consent, the visitor id that it allows, and what they asked to be left alone
 * with. A wish is kept whoever they are, because they asked for it; it names nobody.
 */
const HIDDEN = 'wellpaired:hidden';
const LEVEL = 'wellpaired:level';
const UNTIL = 'wellpaired:until';
const VISITOR = 'wellpaired:visitor';
const DAY_MS = 86_400_000;
const RESTOCK_KIND = 'replenish';

/** Storage and consent may throw: private windows, old themes. */
export function attempt(work) {
  try {
    return work();
  } catch {
    return null;
  }
}

/** Whether a visitor may be recognised. Answers null while nobody knows. */
export function consent() {
  return new Promise((resolve) => {
    const shopify = window.Shopify;
    const ask = () => resolve(attempt(() => shopify.customerPrivacy.preferencesProcessingAllowed()));
    if (shopify?.customerPrivacy || !shopify?.loadFeatures) return ask();
    setTimeout(ask, 500);
    attempt(() => shopify.loadFeatures([{ name: 'consent-tracking-api', version: '0.1' }], ask));
  });
}

/** The visitor's random id, made when it is allowed and deleted when it is refused. */
export function visitorId(allowed) {
  if (allowed === false) localStorage.removeItem(VISITOR);
  if (!allowed) return null;
  const id = localStorage.getItem(VISITOR) || crypto.randomUUID();
  localStorage.setItem(VISITOR, id);
  return id;
}

export const hiddenOffers = () => attempt(() => new Set(JSON.parse(sessionStorage.getItem(HIDDEN)))) || new Set();

export function hideOffer(offerId) {
  attempt(() => sessionStorage.setItem(HIDDEN, JSON.stringify([...hiddenOffers().add(offerId)])));
}

/** Nothing is asked for so many days, also for those whom the app cannot recognise. */
export const snooze = (days) => attempt(() => localStorage.setItem(UNTIL, Date.now() + days * DAY_MS));

/** How much this browser wants to be asked; null where nothing was said, or where the app knows it. */
export const keptLevel = () => attempt(() => localStorage.getItem(LEVEL));

export function keepLevel(level) {
  return attempt(() => (level ? localStorage.setItem(LEVEL, level) : localStorage.removeItem(LEVEL)) ?? true);
}

export const isSilent = () => keptLevel() === 'none' || attempt(() => localStorage.getItem(UNTIL)) > Date.now();

/** Whether an offer may be shown at a level beside `count` others. */
export function allows(level, kind, count) {
  if (level === 'restock_only') return kind === RESTOCK_KIND;
  return level !== 'none' && (level !== 'fewer' || !count);
}
