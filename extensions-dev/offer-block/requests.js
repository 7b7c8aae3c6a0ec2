/** Calls to the shop's own address: Shopify's cart and, behind the app proxy, the app. */

/** The answer's JSON. Rejects with it when the status is no success. */
export async function request(url, options) {
  const response = await fetch(url, { headers: { 'Content-Type': 'application/json' }, ...options });
  const answer = await response.json();
  if (!response.ok) throw answer;
  return answer;
}

export const post = (url, body, options) => request(url, { method: 'POST', body: JSON.stringify(body), ...options });

/** The number of a Shopify global id, as the Ajax cart wants it. */
export const idNumber = (gid) => Number(gid.split('/').pop());
