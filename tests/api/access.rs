//! The access table: every operation in the document, for everyone. An operation without a row fails the test.

use reqwest::Method;

use Access::{Admin, Anonymous, LoggedIn, Open, Step};

use crate::support::{App, document, send};

enum Access {
    /// Requires the role `admin`.
    Admin,
    /// Anyone.
    Open,
    /// Requires a login.
    LoggedIn,
    /// Refused while logged in.
    Anonymous,
    /// Requires an unfinished login.
    Step,
}

const TABLE: &[(&str, &str, Access)] = &[
    ("post", "/api/register", Anonymous),
    ("post", "/api/login", Anonymous),
    ("post", "/api/logout", Open),
    ("get", "/api/me", LoggedIn),
    ("delete", "/api/me", LoggedIn),
    ("get", "/api/me/export", LoggedIn),
    ("get", "/api/me/events", LoggedIn),
    ("get", "/api/login-methods", LoggedIn),
    ("get", "/api/login/step", Step),
    ("delete", "/api/login/step", Open),
    ("post", "/api/login/second-factor", Step),
    ("post", "/api/totp", LoggedIn),
    ("post", "/api/totp/confirm", LoggedIn),
    ("delete", "/api/totp", LoggedIn),
    ("post", "/api/second-factor", LoggedIn),
    ("delete", "/api/second-factor", LoggedIn),
    ("post", "/api/recovery-codes", LoggedIn),
    ("get", "/api/trusted-devices", LoggedIn),
    ("delete", "/api/trusted-devices", LoggedIn),
    ("delete", "/api/trusted-devices/{id}", LoggedIn),
    ("get", "/api/sessions", LoggedIn),
    ("delete", "/api/sessions", LoggedIn),
    ("delete", "/api/sessions/{id}", LoggedIn),
    ("post", "/api/reauthenticate", LoggedIn),
    ("post", "/api/password/change", LoggedIn),
    ("post", "/api/password/forgot", Open),
    ("post", "/api/password/reset", Open),
    ("post", "/api/account/not-me", Open),
    ("post", "/api/email/verify", Open),
    ("post", "/api/email/verify/resend", Open),
    ("post", "/api/email/change", LoggedIn),
    ("post", "/api/email/change/confirm", Open),
    ("get", "/api/verify", LoggedIn),
    ("post", "/api/passkeys/registration/options", LoggedIn),
    ("post", "/api/passkeys/registration/verify", LoggedIn),
    ("post", "/api/passkeys/authentication/options", Open),
    ("post", "/api/passkeys/authentication/verify", Anonymous),
    ("get", "/api/passkeys", LoggedIn),
    ("patch", "/api/passkeys/{id}", LoggedIn),
    ("delete", "/api/passkeys/{id}", LoggedIn),
    ("post", "/api/oidc/{provider}/start", Open),
    ("get", "/api/oidc/{provider}/callback", Open),
    ("post", "/api/login/choose-username", Step),
    ("get", "/api/identities", LoggedIn),
    ("delete", "/api/identities/{id}", LoggedIn),
    ("get", "/api/admin/users", Admin),
    ("post", "/api/admin/users", Admin),
    ("get", "/api/admin/users/{id}", Admin),
    ("delete", "/api/admin/users/{id}", Admin),
    ("put", "/api/admin/users/{id}/roles", Admin),
    ("post", "/api/admin/users/{id}/disable", Admin),
    ("post", "/api/admin/users/{id}/enable", Admin),
    ("post", "/api/admin/users/{id}/password-reset", Admin),
    ("get", "/api/admin/users/{id}/sessions", Admin),
    ("delete", "/api/admin/users/{id}/sessions", Admin),
    ("delete", "/api/admin/users/{id}/second-factor", Admin),
    ("get", "/api/admin/roles", Admin),
    ("get", "/api/admin/events", Admin),
    ("get", "/api/config", Open),
    ("get", "/api/errors", Open),
    ("get", "/api/openapi.json", Open),
    ("get", "/health/live", Open),
    ("get", "/health/ready", Open),
];

fn operations() -> Vec<(String, String)> {
    let paths = document()["paths"].as_object().unwrap();
    let methods = |(path, item): (&String, &serde_json::Value)| {
        item.as_object()
            .unwrap()
            .keys()
            .map(|method| (method.clone(), path.clone()))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}

#[tokio::test]
async fn every_operation_has_a_row_and_follows_it() {
    let app = App::start().await;
    for (method, path) in operations() {
        let row = TABLE.iter().find(|(m, p, _)| *m == method && *p == path);
        let (_, _, access) =
            row.unwrap_or_else(|| panic!("{method} {path} has no row in the access table"));
        let verb: Method = method.to_uppercase().parse().unwrap();
        let target = path.replace("{id}", "00000000-0000-4000-8000-000000000000");

        let anonymous = send(app.visitor().request(verb.clone(), &target)).await;
        assert_eq!(
            anonymous.status == 401,
            matches!(access, Access::LoggedIn | Access::Admin),
            "{method} {path} for anybody"
        );

        let name = format!("user{}", app.count("select count(*) from users").await);
        let member = send(app.logged_in(&name).await.request(verb.clone(), &target)).await;
        assert_ne!(member.status, 401, "{method} {path} logged in");
        assert_eq!(
            anonymous.status == 410,
            matches!(access, Access::Step),
            "{method} {path} without the cookie of a step"
        );
        assert_eq!(
            member.status == 403,
            matches!(access, Access::Admin),
            "{method} {path} without the role"
        );
        assert_eq!(
            member.body["code"] == "already_authenticated",
            matches!(access, Access::Anonymous),
            "{method} {path} logged in"
        );

        let foreign = app
            .visitor()
            .request(verb.clone(), &target)
            .header("origin", "https://evil.example");
        let foreign = send(foreign.header("sec-fetch-site", "cross-site")).await;
        assert_eq!(
            foreign.status == 403,
            verb != Method::GET,
            "{method} {path} from another site"
        );
    }
    assert_eq!(
        TABLE.len(),
        operations().len(),
        "a row names an operation that no longer exists"
    );
}
