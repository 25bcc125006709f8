//! The operations listener: metrics and health, for the operator's own network. Nothing here changes anything.

use std::net::SocketAddr;

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpResponse, get};

use super::metrics::Exposition;
use crate::auth::services::Services;
use crate::http::api::operations;
use crate::http::edge::{Edge, routing};
use crate::http::server;
use crate::http::site::Site;
use crate::http::wire::code::Code;
use crate::http::wire::problem::Problem;

/// OpenMetrics 1.0.
const TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// A listener that is ready to run.
pub struct Ops {
    pub server: Server,
    pub address: SocketAddr,
}

/// Binds the address. One thread is enough for a question every few seconds.
pub fn build(address: SocketAddr, site: Site, exposition: Exposition) -> anyhow::Result<Ops> {
    let listener = server::listen("LATCHKEY_METRICS_LISTEN", address)?;
    let address = listener.local_addr()?;
    let (site, exposition) = (Data::new(site), Data::new(exposition));
    let server = server::serve(listener, 1, move || app(site.clone(), exposition.clone()))?;
    Ok(Ops { server, address })
}

fn app(
    site: Data<Site>,
    exposition: Data<Exposition>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let paths = ["/metrics", "/health/live", "/health/ready"];
    let operations = paths.map(|path| (path.to_owned(), vec!["GET"]));
    let services: Services = exposition.services.clone();
    App::new()
        .service(metrics)
        .service(operations::live)
        .service(operations::ready)
        .app_data(Data::new(services))
        .app_data(site.clone())
        .app_data(exposition)
        .app_data(Data::new(routing::Router::new(&operations)))
        .default_service(web::to(routing::not_found))
        .wrap(Edge::new(site))
}

#[get("/metrics")]
async fn metrics(exposition: Data<Exposition>) -> Result<HttpResponse, Problem> {
    let text = exposition.render().await.map_err(|error| Problem {
        cause: Some(error.to_string()),
        ..Problem::new(Code::InternalError)
    })?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, TEXT));
    Ok(response.body(text))
}
