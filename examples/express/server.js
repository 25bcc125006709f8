// A backend behind nginx with deploy/nginx.conf: npm install express; node server.js
const express = require("express");

const app = express();

// Only nginx reaches this server, and nginx sets these headers from what Latchkey says.
app.use((request, response, next) => {
  const id = request.get("X-Latchkey-User-Id");
  if (!id) return response.sendStatus(401);
  const email = request.get("X-Latchkey-Email");
  request.user = {
    id,
    name: request.get("X-Latchkey-Username"),
    email: email === "-" ? null : decodeURIComponent(email),
    roles: request.get("X-Latchkey-Roles").split(","),
  };
  next();
});

app.all("/backend/hello", (request, response) => {
  response.json(request.user);
});

app.delete("/backend/everything", (request, response) => {
  response.sendStatus(request.user.roles.includes("editor") ? 204 : 403);
});

app.listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
