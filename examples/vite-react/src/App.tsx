import { useState } from "react";
import { Link, Navigate, Outlet, Route, Routes, useLocation } from "react-router";
import { useSession } from "latchkey-client/react";
import { client } from "./client";
import { Home } from "./Home";
import { Login } from "./Login";
import { Register } from "./Register";

export function App() {
  const session = useSession(client);
  const [flash, setFlash] = useState("");

  if (session.status === "loading") return null;
  if (session.status === "failed") {
    return (
      <main>
        <h1>No connection</h1>
        <p role="alert">The server does not answer.</p>
        <button onClick={() => void client.me().catch(() => setFlash("Still no answer."))}>Try again</button>
        <p role="status">{flash}</p>
      </main>
    );
  }
  return (
    <>
      <nav>
        <Link to="/">Home</Link>
        {session.user ? (
          <button onClick={() => void client.logout().catch((error: Error) => setFlash(error.message))}>Logout</button>
        ) : (
          <Link to="/login">Login</Link>
        )}
      </nav>
      <div role="status">{flash}</div>
      <main>
        <Routes>
          <Route element={<Protected />}>
            <Route path="/" element={session.user && <Home user={session.user} />} />
          </Route>
          <Route path="/login" element={<Login flash={setFlash} />} />
          <Route path="/register" element={<Register flash={setFlash} />} />
          <Route path="*" element={<h1>Not found</h1>} />
        </Routes>
      </main>
    </>
  );
}

/** Shows its routes to people who are logged in. Others log in first, and come back. */
function Protected() {
  const { pathname, search } = useLocation();
  if (useSession(client).status === "in") return <Outlet />;
  return <Navigate to={`/login?next=${encodeURIComponent(pathname + search)}`} replace />;
}
