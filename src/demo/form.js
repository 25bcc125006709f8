// Forms and buttons: busy while they work, errors beside their fields.

/** Sends a form by `action(values)`. The server judges the values, and what it says goes beside the fields. */
export function onSubmit(form, action) {
  for (const input of form.querySelectorAll('.field > :is(input, select)')) prepare(input);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(form));
    attempt(form, event.submitter, () => action(values));
  });
  form.addEventListener('reset', () => clearErrors(form));
}

/** Does `action` when a button is clicked. What goes wrong is said in the button's card. */
export function onClick(button, action) {
  const place = () => button.closest('form, .card') ?? document.querySelector('main');
  button.addEventListener('click', () => attempt(place(), button, action));
}

/** Does `action` while `button` is busy, and says in `place` what goes wrong. */
export async function attempt(place, button, action) {
  clearErrors(place);
  const wasFocused = document.activeElement === button;
  button.disabled = true;
  button.ariaBusy = 'true';
  try {
    await action();
  } catch (problem) {
    showProblem(place, problem);
  } finally {
    button.disabled = false;
    button.ariaBusy = 'false';
    // A disabled button loses the focus.
    if (wasFocused && !place.contains(document.activeElement)) button.focus();
  }
}

function clearErrors(place) {
  place.querySelector('[role=alert]')?.remove();
  for (const input of place.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    document.getElementById(`${input.id}-error`).textContent = '';
  }
}

function showProblem(place, problem) {
  if (problem.code === 'cancelled') return;
  if (!problem.code) throw problem;
  const elsewhere = [];
  for (const [name, errors] of Object.entries(problem.errors)) {
    const message = errors.map((error) => error.message).join(' ');
    const input = place.querySelector(`.field [name="${CSS.escape(name)}"]`);
    if (!input) elsewhere.push(message);
    else {
      input.closest('.field').hidden = false;
      input.ariaInvalid = 'true';
      document.getElementById(`${input.id}-error`).textContent = message;
    }
  }
  const invalid = place.querySelector('[aria-invalid=true]');
  invalid?.focus();
  if (elsewhere.length) showAlert(place, elsewhere.join(' '));
  else if (!invalid) showAlert(place, problem.detail, problem.retryAfter);
}

/** Shows what is wrong with the whole form. "Please wait 20 seconds" goes away after 20 seconds. */
function showAlert(place, text, seconds) {
  const alert = Object.assign(document.createElement('p'), { role: 'alert', textContent: text });
  place.prepend(alert);
  if (seconds) setTimeout(() => alert.remove(), seconds * 1000);
}

/** Gives a field its place for an error, and a password its button that shows it. */
function prepare(input) {
  const error = Object.assign(document.createElement('p'), { className: 'error', id: `${input.id}-error` });
  input.after(error);
  const hint = input.getAttribute('aria-describedby') ?? '';
  input.setAttribute('aria-describedby', `${error.id} ${hint}`.trim());
  if (input.type === 'password') addReveal(input);
}

function addReveal(input) {
  const group = Object.assign(document.createElement('div'), { className: 'password' });
  const button = Object.assign(document.createElement('button'), { type: 'button', ariaLabel: 'Show password' });
  const reveal = (shown) => {
    input.type = shown ? 'text' : 'password';
    button.ariaPressed = String(shown);
  };
  reveal(false);
  button.addEventListener('click', () => reveal(input.type === 'password'));
  // A password that can be read is text: keep it from spelling checkers, and from the memory of the browser's forms.
  Object.assign(input, { spellcheck: false, autocapitalize: 'none' });
  input.form.addEventListener('submit', () => reveal(false));
  input.before(group);
  group.append(input, button);
}
