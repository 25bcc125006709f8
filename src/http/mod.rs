//! HTTP: every route with its guard. Handlers extract, call one rule of `auth`, and shape the response.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, Error};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::{AppExt, scope};

use crate::auth::services::Services;
use api::second_factor::{recovery_codes, step, switch, totp, trusted_devices};
use api::{
    account, admin, config, email, events, export, login, methods, oidc, operations, passkeys,
    password, reauthentication, recovery, sessions, verify,
};
use edge::{Edge, routing};
use pages::swagger;
use session::Sessions;
use site::Site;

pub mod api;
pub mod edge;
pub mod mailbox;
pub mod openapi;
pub mod pages;
pub mod server;
pub mod session;
pub mod site;
pub mod wire;

/// All routes under `/api` and `/health`, and the OpenAPI document generated from them. A handler's arguments are its
/// guards: `CurrentUser` requires a login, `FreshUser` a recent proof, `Anonymous` no login; `Visitor` accepts
/// anyone.
macro_rules! routes {
    ($app:expr, $wrap:expr) => {
        $app.service(
            scope::scope("/api")
                .service(account::register)
                .service(login::login)
                .service(login::logout)
                .service(account::me)
                .service(account::delete_account)
                .service(export::export_data)
                .service(methods::login_methods)
                .service(config::get_config)
                .service(events::list_events)
                .service(sessions::list_sessions)
                .service(sessions::revoke_session)
                .service(sessions::revoke_other_sessions)
                .service(reauthentication::reauthenticate)
                .service(step::login_step)
                .service(step::cancel_login)
                .service(step::second_factor)
                .service(totp::offer_totp)
                .service(totp::confirm_totp)
                .service(totp::remove_totp)
                .service(switch::turn_on)
                .service(switch::turn_off)
                .service(recovery_codes::renew_recovery_codes)
                .service(trusted_devices::list_trusted_devices)
                .service(trusted_devices::forget_trusted_device)
                .service(trusted_devices::forget_trusted_devices)
                .service(password::change_password)
                .service(recovery::forgot_password)
                .service(recovery::reset_password)
                .service(recovery::not_me)
                .service(email::verify_email)
                .service(email::resend_verification)
                .service(email::change_email)
                .service(email::confirm_email)
                .service(verify::verify)
                .service(passkeys::registration::passkey_registration_options)
                .service(passkeys::registration::register_passkey)
                .service(passkeys::authentication::passkey_options)
                .service(passkeys::authentication::log_in_with_passkey)
                .service(passkeys::own::list_passkeys)
                .service(passkeys::own::rename_passkey)
                .service(passkeys::own::remove_passkey)
                .service(oidc::start::start_oidc)
                .service(oidc::callback::oidc_callback)
                .service(oidc::username::choose_username)
                .service(oidc::identities::list_identities)
                .service(oidc::identities::remove_identity)
                .service(admin::users::find_users)
                .service(admin::users::invite_user)
                .service(admin::users::list_roles)
                .service(admin::user::show_user)
                .service(admin::user::delete_user)
                .service(admin::user::set_roles)
                .service(admin::user::disable_user)
                .service(admin::user::enable_user)
                .service(admin::user::reset_password_of_user)
                .service(admin::user::list_sessions_of_user)
                .service(admin::user::end_sessions_of_user)
                .service(admin::user::reset_second_factor_of_user)
                .service(admin::events::list_all_events)
                .service(operations::errors)
                .service(operations::openapi_document)
                .map($wrap),
        )
        .service(operations::live)
        .service(operations::ready)
    };
}

/// The app of one worker.
pub fn app(
    services: Services,
    site: Data<Site>,
    documents: Data<operations::Documents>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let session = Sessions::new(services.clone(), site.clone());
    let edge = Edge::new(site.clone());
    let router = routing::Router::new(&documents.operations);
    let app = App::new().into_utoipa_app();
    let app = routes!(app, |api| api.wrap(session.clone())).into_app();
    let own = |config: &mut ServiceConfig| {
        if let Some(routes) = &site.own_routes {
            let scope = web::scope("").wrap(session);
            config.service(scope.configure(|config| routes(config)));
        }
    };
    app.service(swagger::swagger_ui)
        .service(swagger::swagger_ui_without_slash)
        .service(mailbox::mailbox)
        // Last, because it takes every path.
        .configure(own)
        .app_data(Data::new(services.db.clone()))
        .app_data(Data::new(services))
        .app_data(site)
        .app_data(documents)
        .app_data(Data::new(router))
        .default_service(web::to(routing::elsewhere))
        .wrap(edge)
}

/// The OpenAPI document, generated from the same routes.
pub fn document() -> OpenApi {
    let app = App::new().into_utoipa_app().openapi(openapi::skeleton());
    let (_, document) = routes!(app, |api| api).split_for_parts();
    openapi::complete(document)
}
