//! HTTP: every route with its guard. Handlers extract, call one rule of `auth`, and shape the answer.

use actix_identity::IdentityMiddleware;
use actix_web::web::{self, Data};
use actix_web::{App, Error, dev::ServiceFactory, dev::ServiceRequest};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::{AppExt, scope};

pub mod api;
pub mod edge;
pub mod openapi;
pub mod pages;
pub mod server;
pub mod session;
pub mod wire;

use self::api::{account, events, operations, password, sessions};
use self::edge::{client, cross_origin, routing};
use self::session::{cookies, store};
use crate::auth::Services;

/// What HTTP adds to the rules: cookies, origins, the site's address. One value for all workers.
pub struct Site {
    pub public_url: url::Url,
    pub cookies: cookies::Cookies,
    pub cross_origin: cross_origin::CrossOrigin,
    pub trusted_proxies: client::TrustedProxies,
    pub health: std::sync::Arc<operations::Health>,
    pub repeats: std::sync::Arc<crate::auth::events::Repeats>,
}

/// All routes under `/api` and `/health`, and the OpenAPI document that they make. A handler's arguments are its
/// guard: `CurrentUser` needs a login, `FreshUser` a recent password, `Option<CurrentUser>` only looks.
macro_rules! routes {
    ($app:expr, $wrap:expr) => {
        $app.service(
            scope::scope("/api")
                .service(account::register)
                .service(account::login)
                .service(account::logout)
                .service(account::me)
                .service(events::list_events)
                .service(sessions::list_sessions)
                .service(sessions::revoke_session)
                .service(sessions::revoke_other_sessions)
                .service(password::reauthenticate)
                .service(password::change_password)
                .service(operations::errors)
                .service(operations::openapi_document)
                .map($wrap),
        )
        .service(operations::live)
        .service(operations::ready)
    };
}

/// The application of one worker.
pub fn app(
    services: Services,
    site: Data<Site>,
    documents: Data<operations::Documents>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = edge::Answer,
        Error = Error,
        InitError = (),
    >,
> {
    let last = Data::new(store::LastVisit::default());
    let store = store::PgSessionStore::new(services.clone(), last.clone());
    let session = site.cookies.session_middleware(store);
    let edge = edge::Edge::new(site.clone());
    let router = routing::Router::new(&documents.operations);
    let app = App::new().into_utoipa_app();
    // The last wrap runs first: the session is loaded, then the identity is read from it.
    let app = routes!(app, |api| api
        .wrap(IdentityMiddleware::default())
        .wrap(session))
    .into_app();
    app.service(pages::swagger_ui)
        .service(pages::swagger_ui_without_slash)
        .app_data(Data::new(services))
        .app_data(site)
        .app_data(documents)
        .app_data(last)
        .app_data(Data::new(router))
        .default_service(web::to(routing::not_found))
        .wrap(edge)
}

/// The OpenAPI document, made from the same list of routes.
pub fn document() -> OpenApi {
    let app = App::new().into_utoipa_app().openapi(openapi::skeleton());
    let (_, document) = routes!(app, |api| api).split_for_parts();
    openapi::complete(document)
}
