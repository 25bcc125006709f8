//! A panic costs the request that hit it, and nothing else.

use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpResponse, HttpServer};
use latchkey::http::api::operations::Documents;
use latchkey::http::edge::cross_origin::CrossOrigin;
use latchkey::http::edge::hints::Hints;
use latchkey::http::session::cookies::Cookies;
use latchkey::http::site::Site;
use latchkey::http::{self, openapi};
use serde_json::Value;

use crate::support::{App, SECRET_KEY, settings};

/// One worker of the real app, with a route that panics after an await.
async fn faulty(app: &App) -> std::net::SocketAddr {
    let site = Data::new(Site {
        app_name: "latchkey".to_owned(),
        public_url: settings(&[]).server.public_url(),
        app_url: "http://localhost".parse().unwrap(),
        pages: "".parse().unwrap(),
        cookies: Cookies::new(SECRET_KEY, false),
        cross_origin: CrossOrigin {
            public: "http://localhost:8080".to_owned(),
            trusted: Vec::new(),
        },
        hints: Hints::default(),
        trusted_proxies: Default::default(),
        health: Default::default(),
        repeats: app.services.repeats.clone(),
        kept_mails: None,
        front: None,
        own_routes: None,
        watch: None,
    });
    let documents = Data::new(Documents {
        openapi: Bytes::new(),
        operations: openapi::operations(http::document()),
    });
    let (services, (tell, told)) = (app.services.clone(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(move || {
                let app = http::app(services.clone(), site.clone(), documents.clone());
                app.route(
                    "/panic",
                    web::get().to(async || -> HttpResponse {
                        tokio::task::yield_now().await;
                        panic!("in a test, about green-Lamp-42-river")
                    }),
                )
            });
            let server = server.workers(1).bind("127.0.0.1:0").unwrap();
            tell.send(server.addrs()[0]).unwrap();
            server.run().await.unwrap();
        });
    });
    told.recv().unwrap()
}

#[tokio::test]
async fn a_panic_costs_one_request_and_its_client_gets_a_500() {
    let app = App::start().await;
    let susan = app.logged_in("susan").await;
    let susan = susan.at(faulty(&app).await);
    for _ in 0..20 {
        let request = susan.client.get(susan.url("/panic"));
        let request = request.header("origin", "http://localhost:8080");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 500);
        let allowed = &answer.headers()["access-control-allow-origin"];
        assert_eq!(allowed, "http://localhost:8080");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let request_id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body["code"], "internal_error");
        assert_eq!(body["request_id"], request_id.as_str());
        assert!(!body.to_string().contains("green-Lamp"));
        assert!(susan.is_logged_in().await, "the worker keeps serving");
    }
}
