/**
 * The post-purchase offer: shown after payment, before the thank-you page, while the order is held for changes.
 *
 * ShouldRender asks the app for at most two offers; any failure means that the shopper goes straight to their thank-you
 * page. Render shows the offers in turn. The extension never says what is to be charged: it names an offer, the app
 * signs the changes that it stored for that offer, and Shopify applies what was signed.
 * Source: Shopify, "Post-purchase checkout extensions", types of @shopify/post-purchase-ui-extensions 0.13.5.
 */
import { extend } from '@shopify/post-purchase-ui-extensions';
import { askForOffers } from './app.js';
import { runOffers } from './journey.js';

const MOST_OFFERS = 2;

extend('Checkout::PostPurchase::ShouldRender', async ({ inputData, storage }) => {
  try {
    const answer = await askForOffers(inputData);
    const offers = answer.offers.slice(0, MOST_OFFERS);
    if (!offers.length) return { render: false };
    await storage.update({ decision_id: answer.decision_id, offers });
    return { render: true };
  } catch {
    return { render: false };
  }
});

extend('Checkout::PostPurchase::Render', (root, api) => {
  runOffers(root, api);
  root.mount();
});
