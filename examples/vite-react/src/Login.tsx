import { Link, Navigate, useNavigate, useSearchParams } from "react-router";
import { useLoginStep, useSession } from "latchkey-client/react";
import { client } from "./client";
import { Field } from "./Field";
import { useForm } from "./useForm";

export function Login({ flash }: { flash: (message: string) => void }) {
  const navigate = useNavigate();
  const session = useSession(client);
  const step = useLoginStep(client);
  const [query] = useSearchParams();
  const { errors, alert, setAlert, sent, onSubmit } = useForm(step ? "second_factor" : "login", async (form) => {
    const { redirect_to } = step
      ? await client.login.secondFactor(code(String(form.get("code"))))
      : await client.login({
          username: String(form.get("username")),
          password: String(form.get("password")),
          remember_me: form.has("remember_me"),
          next: query.get("next"),
        });
    flash("");
    // Certainly a path of this site.
    await navigate(redirect_to, { replace: true });
  });

  const startAgain = () =>
    client.login.cancel().then(
      () => setAlert(""),
      (error: Error) => setAlert(error.message),
    );

  // Somebody who has just logged in is on the way to redirect_to.
  if (session.status === "in" && !sent) return <Navigate to="/" replace />;
  if (step) {
    return (
      <form key="step" onSubmit={onSubmit} noValidate>
        <h1>One more step</h1>
        <div role="alert">{alert}</div>
        <Field
          label="Code of your app, or a recovery code"
          name="code"
          autoComplete="one-time-code"
          autoFocus
          errors={errors.code ?? errors.recovery_code}
        />
        <button disabled={sent}>Sign In</button>
        <button type="button" onClick={startAgain}>
          Start again
        </button>
      </form>
    );
  }
  return (
    <form onSubmit={onSubmit} noValidate>
      <h1>Sign In</h1>
      <div role="alert">{alert}</div>
      <Field label="Username or e-mail" name="username" autoComplete="username" autoFocus errors={errors.username} />
      <Field label="Password" name="password" type="password" autoComplete="current-password" errors={errors.password} />
      <label>
        <input type="checkbox" name="remember_me" /> Remember Me
      </label>
      <button disabled={sent}>Sign In</button>
      <p>
        New User? <Link to={`/register?${query}`}>Click to Register!</Link>
      </p>
    </form>
  );
}

/** Recovery codes are longer. */
const code = (text: string) => (/^\d{6}$/.test(text.trim()) ? { code: text } : { recovery_code: text });
