//! The listening socket, and what each of its connections gets: timeouts, small buffers and backpressure.
//!
//! `HttpServer` does all of this except the backpressure, which needs our own stream type.

use std::future::ready;
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
pub mod door;
pub mod pace;

/// RFC 9110 gives no figure. nginx waits 60 s for headers, and Slowloris needs minutes. SECURITY E2 asks for 5 s.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long a client has to close the connection after we announce that we will.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// How much of a response is buffered for a client that has not read it yet. Only static files are larger.
const WRITE_BUFFER: usize = 4 * 1024;
/// The same in the kernel, which doubles the value.
const SEND_BUFFER: usize = 32 * 1024;
/// A client that reads nothing for this long is gone or never meant to read (SECURITY E6 asks for 30 s).
const READ_WITHIN: Duration = Duration::from_secs(25);
/// How long requests under way may take when the server stops, in seconds.
const FINISH_WITHIN: u64 = 8;
/// Threads of each worker that wait for the disk, to read pages. A burst would start hundreds.
const BLOCKING_THREADS: usize = 8;
/// Connections waiting to be accepted.
const BACKLOG: i32 = 1024;

/// The socket that clients connect to. The error names the setting, and an address that would work.
pub fn listen(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    bind(address).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                let free = free_port_near(address);
                let free = free.map(|free| format!(", or set {setting}={free}"));
                format!(
                    "another program listens there. Stop it{}",
                    free.unwrap_or_default()
                )
            }
            io::ErrorKind::PermissionDenied => format!(
                "ports below 1024 are for root. Set {setting} to a higher one, and put a proxy in front"
            ),
            io::ErrorKind::AddrNotAvailable => format!(
                "this machine has no such address. Set {setting} to one that it has; 0.0.0.0 means all"
            ),
            _ => error.to_string(),
        };
        anyhow::anyhow!("{setting}: cannot listen on {address}: {advice}")
    })
}

/// The same address with one of the next ports.
fn free_port_near(address: SocketAddr) -> Option<SocketAddr> {
    let near = (1..=20).filter_map(|step| address.port().checked_add(step));
    let mut near = near.map(|port| SocketAddr::new(address.ip(), port));
    near.find(|address| bind(*address).is_ok())
}

/// Each connection inherits the options of this socket.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_tcp_nodelay(true)?;
    // RFC 5482. Elsewhere the kernel's default applies.
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
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .shutdown_timeout(FINISH_WITHIN)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("latchkey", listener, move || {
        let stopping = stopping.clone();
        let app = app().into_factory();
        let app = app.map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            // `Connection` decides how long an idle connection stays open, also when the server stops: actix-http would
            // close one whose request has arrived and is not read yet.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(HEADERS_WITHIN)
            .client_disconnect_timeout(CLOSE_WITHIN)
            .h1_write_buffer_size(WRITE_BUFFER)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.pace());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            let stopping = stopping.clone();
            let connection = Connection::new(stream, async move { stopping.notified().await });
            ready(Ok::<_, DispatchError>((connection, peer)))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}
