import { useId, type InputHTMLAttributes } from "react";
import type { FieldProblem } from "latchkey-client";

interface Props extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  errors: readonly FieldProblem[] | undefined;
}

/** An input with its label, and the server's words about it below. */
export function Field({ label, errors, ...input }: Props) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} aria-invalid={errors !== undefined} aria-describedby={`${id}-error`} {...input} />
      <p id={`${id}-error`} className="error">
        {errors?.map((error) => error.message).join(" ")}
      </p>
    </div>
  );
}
