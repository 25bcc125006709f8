// Says times, browsers and events in words.

const UNITS = [['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3600], ['minute', 60]];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** A time as people say it: "just now", "5 minutes ago", "yesterday". */
export function ago(time) {
  const seconds = (new Date(time) - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? [];
  return unit ? relative.format(Math.trunc(seconds / length), unit) : 'just now';
}

// The first that fits counts: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari.
const BROWSERS = { Edg: 'Edge', OPR: 'Opera', Firefox: 'Firefox', FxiOS: 'Firefox', CriOS: 'Chrome', Chrome: 'Chrome',
  Safari: 'Safari', curl: 'curl' };
const SYSTEMS = { iPhone: 'iPhone', iPad: 'iPad', Android: 'Android', Windows: 'Windows', 'Mac OS': 'macOS',
  CrOS: 'ChromeOS', Linux: 'Linux' };

/** A user agent in words, such as "Chrome on Linux". A program is called by its own name. */
export function device(userAgent) {
  const named = (names) => names[Object.keys(names).find((part) => userAgent?.includes(part))];
  const browser = named(BROWSERS) ?? (userAgent?.split(/[/ ]/)[0] || 'Unknown browser');
  const system = named(SYSTEMS);
  return system ? `${browser} on ${system}` : browser;
}

const EVENTS = {
  not_me: 'Change taken back',
  limit_hit: 'Too many attempts',
  reauthenticated: 'Identity confirmed',
  reauthentication_failed: 'Identity not confirmed',
  totp_enabled: 'Authenticator app set up',
  totp_disabled: 'Authenticator app removed',
  email_verified: 'Address verified',
  identity_linked: 'Account connected',
  identity_unlinked: 'Account disconnected',
};

/** What happened, from the kind of an event: "logged_in" becomes "Logged in". */
export function eventName(kind) {
  return EVENTS[kind] ?? kind[0].toUpperCase() + kind.slice(1).replaceAll('_', ' ');
}
