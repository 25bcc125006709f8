// Starts Swagger UI with Latchkey's document, so that "Execute" works on the first click and on the second try.

// What most people try, in this order. The rest follows as in the document.
const FIRST = ["register", "login", "me", "logout"];
const REGISTERED = "latchkey-registered";

// Names are taken for good, so each page load suggests another one; it logs in whoever registered last.
const fresh = "susan-" + crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
const registered = () => sessionStorage.getItem(REGISTERED) ?? fresh;

function suggest(document, schema, username) {
  const { properties, example } = document.components.schemas[schema];
  properties.username.example = username;
  if (properties.email) properties.email.example = `${username}@example.com`;
  if (example) example.username = username;
}

function remember(response) {
  if (response.status === 201 && new URL(response.url).pathname === "/api/register") {
    sessionStorage.setItem(REGISTERED, JSON.parse(response.text).username);
  }
  return response;
}

// The cookie is HttpOnly: no page can set it, so there is nothing to authorize. Logging in sets it.
const withoutAuthorize = {
  wrapComponents: {
    authorizeBtn: () => () => null,
    authorizeOperationBtn: () => () => null,
  },
};

// In a shell, curl keeps the cookie only if it is told where.
const withJar = (system) => ({
  fn: {
    requestSnippetGenerator_curl_jar: (request) => {
      const curl = system.getSystem().fn.requestSnippetGenerator_curl_bash(request);
      return curl.replace(/^curl /, "curl -b jar -c jar ");
    },
  },
});

function order(one, other) {
  const place = (operation) => {
    const found = FIRST.indexOf(operation.getIn(["operation", "operationId"]));
    return found < 0 ? FIRST.length : found;
  };
  return place(one) - place(other);
}

const failed = () => {
  document.getElementById("swagger-ui").textContent = "The API's document did not arrive. Please reload the page.";
};
const spec = await fetch("/api/openapi.json").then((answer) => answer.json()).catch(failed);
if (!spec) throw new Error("no document");
suggest(spec, "RegisterRequest", fresh);
suggest(spec, "LoginRequest", registered());

SwaggerUIBundle({
  spec,
  dom_id: "#swagger-ui",
  deepLinking: true,
  withCredentials: true,
  tryItOutEnabled: true,
  operationsSorter: order,
  responseInterceptor: remember,
  requestSnippetsEnabled: true,
  requestSnippets: {
    generators: { curl_jar: { title: "curl", syntax: "bash" } },
    defaultExpanded: true,
    languages: ["curl_jar"],
  },
  plugins: [withoutAuthorize, withJar],
});
