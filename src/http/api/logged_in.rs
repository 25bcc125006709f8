//! What a login comes to, for every way in.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::views::{SessionView, UserView};
use crate::auth::door::Login;
use crate::auth::services::Services;
use crate::auth::session::Started;
use crate::http::session::browser::Browser;
use crate::http::wire::answer;
use crate::http::wire::problem::Problem;

/// A login that is complete.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn<'a> {
    user: UserView<'a>,
    session: SessionView,
    /// `next` if it is a path of this site, else `/`.
    #[schema(example = "/profile")]
    redirect_to: &'a str,
    /// After a recovery code: how many are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    recovery_codes_left: Option<i64>,
}

/// Logs the browser in, or has it remember that the second factor is still to be shown.
pub fn answer_login(
    services: &Services,
    login: Login,
    redirect_to: Option<&str>,
    browser: &Browser,
) -> Result<HttpResponse, Problem> {
    match login {
        Login::Started(started) => answer_started(services, *started, redirect_to, None, browser),
        Login::SecondFactor(pending) => {
            let problem = Problem::second_factor_required(&pending);
            browser.begin_step(pending.key);
            Err(problem)
        }
    }
}

/// Logs the browser in.
pub fn answer_started(
    services: &Services,
    started: Started,
    redirect_to: Option<&str>,
    recovery_codes_left: Option<i64>,
    browser: &Browser,
) -> Result<HttpResponse, Problem> {
    let ends_at = services.policy.lifetimes.deadline(&started.session);
    let answer = answer::ok(&LoggedIn {
        user: UserView::from(&started.user),
        session: SessionView::new(&started.session, ends_at),
        redirect_to: redirect_to.unwrap_or("/"),
        recovery_codes_left,
    });
    browser.log_in(started.user.id, started.issued);
    answer
}
