import { useState, type SubmitEvent } from "react";
import { isLatchkeyError, type FieldErrors, type Operation } from "latchkey-client";

/** Sends a form, and keeps what the server says of it. */
export function useForm<O extends Operation>(operation: O, send: (form: FormData) => Promise<void>) {
  const [errors, setErrors] = useState<FieldErrors<O>>({});
  const [alert, setAlert] = useState("");
  const [sent, setSent] = useState(false);

  async function submit(form: FormData) {
    setErrors({});
    setAlert("");
    setSent(true);
    try {
      await send(form);
    } catch (error) {
      setSent(false);
      if (isLatchkeyError(error, operation) && error.code === "validation_failed") setErrors(error.errors);
      else setAlert((error as Error).message);
    }
  }
  const onSubmit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    void submit(new FormData(event.currentTarget));
  };
  return { errors, alert, setAlert, sent, onSubmit };
}
