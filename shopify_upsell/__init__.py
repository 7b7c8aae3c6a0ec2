"""Wellpaired: upsell and cross-sell for Shopify, told as one journey.

A Shopify webhook reaches the ``inbox``, becomes a fact in the ``ledger``, then evidence in the ``matrix``. The
``offers`` folder turns evidence into a decision, with what ``customers`` says a person may be asked. ``surfaces``
meet the shopper; what the shopper does comes back as touchpoints to ``attribution``. ``experiments`` say whether
it helped, ``reports`` tell the merchant, in the ``admin``. Everything that speaks Shopify is in ``gateway``;
tenants live in ``shops``. ``app`` joins the parts. This module imports nothing.
"""
