//! The text of `/metrics`: what has been counted, and what can be read at the moment of the question.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::timeout;

use crate::auth::services::Services;
use crate::store::outbox;

/// Prometheus gives up after ten seconds, and loses everything else then.
const DATABASE_WITHIN: Duration = Duration::from_secs(1);

/// A registry for what is counted.
pub fn registry() -> Registry {
    let mut registry = Registry::with_prefix("latchkey");
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The version that runs", version);
    registry
}

/// Everything that can be told.
pub struct Exposition {
    pub counted: Registry,
    pub services: Services,
}

impl Exposition {
    /// The metrics in the text format of OpenMetrics 1.0.
    pub async fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(32 * 1024);
        encode_registry(&mut text, &self.counted)?;
        encode_registry(&mut text, &self.now().await)?;
        encode_registry(&mut text, &process())?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// What is read rather than counted.
    async fn now(&self) -> Registry {
        let mut registry = Registry::with_prefix("latchkey");
        let mut add = |name, help, value: usize| {
            registry.register(name, help, ConstGauge::new(value));
        };
        let services = &self.services;
        let (in_use, waiting) = services.db.pool_use();
        let queue = services.hasher.waiting();
        add(
            "hash_queue_depth",
            "Jobs that wait for a hashing thread",
            queue,
        );
        add(
            "sessions_cached",
            "Sessions in the cache",
            services.sessions.sessions(),
        );
        let hears = usize::from(services.sessions.is_open());
        add(
            "listener_up",
            "1 if ended sessions are heard of, so that the cache is in use",
            hears,
        );
        add(
            "db_pool_in_use",
            "Pooled database connections in use",
            in_use,
        );
        add(
            "db_pool_waiting",
            "Requests that wait for a pooled connection",
            waiting,
        );
        // Not a number while the database does not say, which no comparison takes for good news.
        let (mails, oldest) = self.backlog().await.unwrap_or((f64::NAN, f64::NAN));
        let help = "Mails that no server has taken yet, of all instances";
        registry.register("mails_waiting", help, ConstGauge::new(mails));
        let help = "Since the oldest mail that waits was asked for";
        registry.register_with_unit("mail_oldest", help, Unit::Seconds, ConstGauge::new(oldest));
        registry
    }

    async fn backlog(&self) -> Option<(f64, f64)> {
        let db = &self.services.db;
        let asked = db.run(async |conn| outbox::backlog(conn).await);
        let backlog = timeout(DATABASE_WITHIN, asked).await.ok()?.ok()?;
        Some((backlog.mails, backlog.oldest))
    }
}

/// What every Prometheus client tells of its process, under the same names.
fn process() -> Registry {
    let mut registry = Registry::default();
    let (Ok(mut system), Ok(pid)) = (System::new(), sysinfo::get_current_pid()) else {
        return registry;
    };
    let wanted = ProcessRefreshKind::nothing()
        .with_memory()
        .with_cpu()
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, wanted);
    let Some(process) = system.process(pid) else {
        return registry;
    };
    let help = "Memory in use";
    let memory = ConstGauge::new(process.memory());
    registry.register_with_unit("process_resident_memory", help, Unit::Bytes, memory);
    let help = "Processor time of all threads";
    let cpu = Duration::from_millis(process.accumulated_cpu_time());
    let cpu = ConstCounter::new(cpu.as_secs_f64());
    registry.register_with_unit("process_cpu", help, Unit::Seconds, cpu);
    let help = "When the process started, since 1970";
    let start = ConstGauge::new(process.start_time());
    registry.register_with_unit("process_start_time", help, Unit::Seconds, start);
    if let Some(open) = process.open_files() {
        let help = "Open files and connections";
        registry.register("process_open_fds", help, ConstGauge::new(open));
    }
    registry
}
