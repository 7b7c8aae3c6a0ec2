/**
 * The small form behind "Fewer or no offers". It takes the place of the cards inside the block, over nothing, and needs
 * no login: whoever the app cannot recognise is remembered by their own browser alone.
 */
import { part, writer } from './card.js';
import { post, request } from './requests.js';
import { keepLevel, keptLevel } from './shopper.js';

const NOBODY = 'invalid_input';

/** Show the form. `onSaved` hears the level; `onBack` the wish to go back to the cards. */
export async function openPreferences(block, { url, offerId, onSaved, onBack }) {
  const form = part(block, 'preferences');
  const say = (text) => writer(form)('said', text);
  block.dataset.view = 'preferences';
  say('');
  part(form, 'back').onclick = onBack;
  // No value: an answer of false would take every other key away from the form.
  form.onkeydown = ({ key }) => {
    if (key === 'Escape') onBack();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const level = form.elements.level.value;
    // What a merchant tries in the theme editor is nobody's wish.
    if (level && !block.inEditor) say(await save(block, url, { level, offer_id: Number(offerId) }, onSaved));
  };
  form.reset();
  form.elements.level[0].focus();
  const level = keptLevel() || (await request(url).catch(() => ({}))).level;
  // What was chosen while the answer was on its way stays.
  if (level && !form.elements.level.value) form.elements.level.value = level;
}

/** What to tell the shopper about their wish. */
async function save(block, url, body, onSaved) {
  const { textUnsaved, textHere } = block.dataset;
  const said = part(block, 'preferences').querySelector(`[value="${body.level}"]`).dataset.said;
  try {
    await post(url, body);
    keepLevel(null);
  } catch (refusal) {
    const isNobody = refusal?.error?.code === NOBODY;
    if (!isNobody || !keepLevel(body.level)) return textUnsaved;
    onSaved(body.level);
    return `${said} ${textHere}`;
  }
  onSaved(body.level);
  return said;
}
