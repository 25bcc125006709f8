import { useNavigate, useSearchParams } from "react-router";
import { client } from "./client";
import { Field } from "./Field";
import { useForm } from "./useForm";

export function Register({ flash }: { flash: (message: string) => void }) {
  const navigate = useNavigate();
  const [query] = useSearchParams();
  const { errors, alert, sent, onSubmit } = useForm("register", async (form) => {
    await client.register({
      username: String(form.get("username")),
      email: String(form.get("email")),
      password: String(form.get("password")),
      password2: String(form.get("password2")),
    });
    flash("Congratulations, you are now a registered user!");
    await navigate(`/login?${query}`);
  });

  const newPassword = { type: "password", autoComplete: "new-password" };
  return (
    <form onSubmit={onSubmit} noValidate>
      <h1>Register</h1>
      <div role="alert">{alert}</div>
      <Field label="Username" name="username" autoComplete="username" autoFocus errors={errors.username} />
      <Field label="Email" name="email" type="email" autoComplete="email" errors={errors.email} />
      <Field label="Password" name="password" {...newPassword} errors={errors.password} />
      <Field label="Repeat Password" name="password2" {...newPassword} errors={errors.password2} />
      <button disabled={sent}>Register</button>
    </form>
  );
}
