// Lists that the account and the administration show: sessions, events, and whatever comes page by page.

import { copy } from './dom.js';
import { onClick } from './form.js';
import { call } from './session.js';
import { device, eventName } from './words.js';

/** A row of a list of sessions. Without `end` its session cannot be ended there. */
export function sessionRow(session, end) {
  const name = device(session.user_agent);
  const row = copy('session-row', { ...session, device: name, ip: session.ip ?? 'Unknown address' });
  const button = row.querySelector('button');
  button.ariaLabel = `Log out ${name}`;
  if (end) onClick(button, end);
  else button.remove();
  return row;
}

export function eventRow(event) {
  const where = [event.user_agent && device(event.user_agent), event.ip].filter(Boolean).join(' · ');
  return copy('event-row', { ...event, name: eventName(event.kind), where });
}

const STEP = 10;

/**
 * Fills the list in `place` from `path`, which answers with `items` and next_cursor, and lets its button show more.
 * Returns whether there is anything to show.
 */
export async function fillPages(place, path, parameters, items, toRow) {
  const list = place.querySelector('ul');
  const button = place.querySelector(':scope > button');
  const waiting = [];
  let cursor = null;
  const showMore = async () => {
    if (waiting.length === 0) {
      const query = new URLSearchParams(cursor ? { ...parameters, cursor } : parameters);
      const answer = await call('GET', `${path}?${query}`);
      waiting.push(...answer[items]);
      cursor = answer.next_cursor;
    }
    list.append(...waiting.splice(0, STEP).map(toRow));
    button.hidden = waiting.length === 0 && !cursor;
    // A button that is gone cannot keep the focus.
    if (button.hidden) list.focus();
  };
  onClick(button, showMore);
  await showMore();
  return list.childElementCount > 0;
}
