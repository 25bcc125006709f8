//! What a warm `/api/me` allocates, beside a static actix route that answers as many bytes under the same headers.
//! `cargo bench --bench allocations` prints a Markdown table; `-- sites` adds where the allocations of a request come
//! from (with `CARGO_PROFILE_BENCH_DEBUG=line-tables-only` also from which line).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that prints its findings"
)]

#[path = "support/static_route.rs"]
mod static_route;
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use support::{PASSWORD, Server, get, is_whole, post, registration};

const REQUESTS: u64 = 20_000;
const TRACED: u64 = 10;
/// Of a call stack: more says who asked whom within actix.
const FRAMES: usize = 8;

/// The system's allocator, counting what is asked of it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static TRACING: AtomicBool = AtomicBool::new(false);
static TRACES: Mutex<Vec<(usize, String)>> = Mutex::new(Vec::new());

thread_local! {
    /// Taking a trace allocates too.
    static IN_TRACE: Cell<bool> = const { Cell::new(false) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; every call goes on to the system's as it came"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn count(size: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    BYTES.fetch_add(size as u64, Relaxed);
    if TRACING.load(Relaxed) && !IN_TRACE.replace(true) {
        let trace = Backtrace::force_capture().to_string();
        TRACES.lock().unwrap().push((size, site(&trace)));
        IN_TRACE.set(false);
    }
}

/// The calls of a backtrace that lead to an allocation, without the allocator's own. Inlined calls have short names, and
/// are known by where they are.
fn site(trace: &str) -> String {
    let mut frames = Vec::<(&str, &str)>::new();
    for line in trace.lines().map(str::trim) {
        if let Some(place) = line.strip_prefix("at ") {
            frames.last_mut().unwrap().1 = place;
        } else if let Some((_, name)) = line.split_once(": ") {
            frames.push((name, ""));
        }
    }
    let names = [
        "alloc::",
        "core::",
        "std::",
        "<alloc::",
        "<core::",
        "__rust",
        "allocations::",
        "<allocations::",
    ];
    let is_own = |(name, place): &(&str, &str)| {
        let named = names.iter().any(|own| name.starts_with(own));
        named || place.starts_with("/rustc/") || place.contains("benches/allocations.rs")
    };
    let calls = frames.into_iter().skip_while(is_own).take(FRAMES);
    calls
        .map(|(name, place)| format!("    {name}  {place}\n"))
        .collect()
}

/// In a server's process: answers the questions that come on its standard input.
fn answer_questions() {
    std::thread::spawn(|| {
        for question in std::io::stdin().lines().map_while(Result::ok) {
            match question.as_str() {
                "trace" => TRACING.store(true, Relaxed),
                "sites" => {
                    TRACING.store(false, Relaxed);
                    let mut sites = BTreeMap::<(usize, String), u64>::new();
                    for site in TRACES.lock().unwrap().drain(..) {
                        *sites.entry(site).or_default() += 1;
                    }
                    let mut sites: Vec<_> = sites.into_iter().collect();
                    sites.sort_by_key(|(_, count)| u64::MAX - count);
                    for ((size, site), count) in
                        sites.into_iter().filter(|(_, count)| *count >= TRACED)
                    {
                        println!("{} × {size} bytes\n{site}", count / TRACED);
                    }
                    println!("end");
                }
                _ => println!("{} {}", ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed)),
            }
        }
    });
}

impl Server {
    fn tell(&mut self, what: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
    }

    /// Allocations and bytes since its start.
    fn count(&mut self) -> [u64; 2] {
        self.tell("count");
        let line = self.output.by_ref().map(Result::unwrap).find_map(|line| {
            let (allocations, bytes) = line.split_once(' ')?;
            Some([allocations.parse().ok()?, bytes.parse().ok()?])
        });
        line.unwrap()
    }

    /// What each request allocates once the connection and the caches are warm: allocations, bytes, and where if asked.
    fn measure(&mut self, request: &str, sites: bool) -> ([f64; 2], String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut ask = |times| (0..times).for_each(|_| drop(exchange(&mut stream, request)));
        ask(REQUESTS / 10);
        let before = self.count();
        ask(REQUESTS);
        let after = self.count();
        let each = |n: usize| (after[n] - before[n]) as f64 / REQUESTS as f64;
        let mut text = String::new();
        if sites {
            self.tell("trace");
            self.count();
            ask(TRACED);
            self.tell("sites");
            let lines = self.output.by_ref().map_while(Result::ok);
            for line in lines.take_while(|line| line != "end") {
                text.push_str(&line);
                text.push('\n');
            }
        }
        ([each(0), each(1)], text)
    }
}

/// A 2xx, whole.
fn exchange(stream: &mut TcpStream, request: &str) -> Vec<u8> {
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut some) = (Vec::new(), [0; 4096]);
    while !is_whole(&answer) {
        let length = stream.read(&mut some).unwrap();
        assert!(length > 0, "the server closed the connection");
        answer.extend_from_slice(&some[..length]);
    }
    assert_eq!(answer[9], b'2', "{}", String::from_utf8_lossy(&answer));
    answer
}

fn compare(sites: bool) {
    let data = std::env::temp_dir().join(format!("latchkey-bench-{}", std::process::id()));
    let myself = std::env::current_exe().unwrap();
    let mut latchkey = support::serve(myself.to_str().unwrap(), &data, 1);
    let start = |command: &mut Command| Server::start(command.stdin(Stdio::piped()));
    let mut server = start(&mut latchkey);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    exchange(&mut stream, &post("/api/register", &registration("susan")));
    let form = format!("{{\"username\": \"susan\", \"password\": \"{PASSWORD}\"}}");
    let login = String::from_utf8(exchange(&mut stream, &post("/api/login", &form))).unwrap();
    let (_, cookie) = login.split_once("set-cookie: latchkey_session=").unwrap();
    let cookie = format!("latchkey_session={}", cookie.split(';').next().unwrap());
    let me = get("/api/me", &cookie);
    let answer = exchange(&mut stream, &me);
    let mut fixed = start(&mut static_route::command(&answer));

    println!("{} bytes an answer, {REQUESTS} requests.\n", answer.len());
    println!("| what | allocations a request | of the static route's | bytes a request |");
    println!("| --- | --- | --- | --- |");
    let ([least, bytes], _) = fixed.measure(&me, false);
    println!("| static actix route | {least:.1} | 1.0 | {bytes:.0} |");
    let ([ours, bytes], text) = server.measure(&me, sites);
    println!(
        "| /api/me, warm | {ours:.1} | {:.1} | {bytes:.0} |\n\n{text}",
        ours / least
    );
    drop(server);
    let _ = std::fs::remove_dir_all(&data);
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => {
            answer_questions();
            return latchkey::cli::main();
        }
        Some("--static-route") => {
            answer_questions();
            let serving = static_route::serve(&arguments[1], 1);
            actix_web::rt::System::new().block_on(serving);
        }
        _ => compare(arguments.iter().any(|argument| argument == "sites")),
    }
    ExitCode::SUCCESS
}
