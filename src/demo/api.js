// One function that talks to the server, and one error for everything that can go wrong.

/**
 * What went wrong: `code` is for programs, `detail` is a sentence for people, `errors` are those of each field, and
 * some codes bring more, such as `methods`.
 */
export class Problem extends Error {
  constructor(answer, retryAfter = 0) {
    super(answer.detail);
    Object.assign(this, { errors: {}, retryAfter }, answer);
  }
}

const UNREACHABLE = {
  code: 'unreachable', title: 'No connection',
  detail: 'The server cannot be reached. Check your connection and try again.',
};

const UNAVAILABLE = {
  code: 'unavailable', title: 'Not available',
  detail: 'The service is not available at the moment. Please try again shortly.',
};

/** How often a page asks again while the server is busy or its database is away. */
const PATIENCE = 2;

/** Sends a request and returns the body of its answer. Throws a `Problem`, and nothing else. */
export async function send(method, path, body, tries = PATIENCE) {
  const options = { method, signal: AbortSignal.timeout(30_000) };
  if (body) Object.assign(options, { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  let response, answer;
  try {
    response = await fetch(path, options);
    // Without content there is no type. A proxy in front of the server answers in HTML while the server is down.
    const isJson = response.headers.get('Content-Type')?.includes('json');
    answer = isJson ? await response.json() : null;
  } catch {
    throw new Problem(UNREACHABLE);
  }
  if (response.ok) return answer;
  const retryAfter = Number(response.headers.get('Retry-After'));
  if (method === 'GET' && response.status === 503 && retryAfter && tries) {
    await new Promise((resolve) => setTimeout(resolve, retryAfter * 1000));
    return send(method, path, body, tries - 1);
  }
  throw new Problem(answer?.code ? answer : UNAVAILABLE, retryAfter);
}
