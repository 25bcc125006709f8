//! The listening socket and what every connection through it gets: time-outs, small buffers, and a pace.
//!
//! `HttpServer` would do all but the pace, which needs a stream of our own.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::{App, Error};
use socket2::{Domain, Protocol, Socket, Type};

use self::connection::Connection;

pub mod connection;
pub mod pace;

/// RFC 9110 names no figure; nginx waits 60 s for headers, Slowloris needs minutes. SECURITY E2 asks for 5 s.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// For a client to close after it was told that we do.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// Of an answer that its reader has not read yet; ours are smaller, but for static files.
const WRITE_BUFFER: usize = 4 * 1024;
/// The kernel's part of the same, which it doubles.
const SEND_BUFFER: usize = 32 * 1024;
/// A client that reads nothing for this long is gone, or never meant to read (SECURITY E6 asks for 30 s).
const READ_WITHIN: Duration = Duration::from_secs(25);
/// Time for requests under way when the server stops, in seconds.
const FINISH_WITHIN: u64 = 8;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The socket that clients connect to; each connection inherits its options.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    // RFC 5482; elsewhere the kernel's own patience has to do.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(READ_WITHIN))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A server that serves `app` once it is polled.
pub fn serve<T>(
    listener: TcpListener,
    workers: usize,
    app: impl Fn() -> App<T> + Send + Clone + 'static,
) -> io::Result<Server>
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        > + 'static,
    T::Future: 'static,
{
    let builder = Server::build()
        .workers(workers)
        .shutdown_timeout(FINISH_WITHIN)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("latchkey", listener, move || {
        let stopping = stopping.clone();
        let app = app().into_factory();
        let app = app.map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // How long a connection is kept without requests, it knows itself.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(HEADERS_WITHIN)
            .client_disconnect_timeout(CLOSE_WITHIN)
            .h1_write_buffer_size(WRITE_BUFFER)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.pace());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(async |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            Ok::<_, DispatchError>((Connection::new(stream), peer))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}
