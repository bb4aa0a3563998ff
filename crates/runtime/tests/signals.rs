//! What SIGINT and SIGTERM do to a program, and that it leaves nothing behind: the test runs itself
//! as a child process and signals it.

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::{Client, Echo, client, eal, server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runtime::link::{self, Link};
use runtime::{Clock, Control, ControlArgs, Idle, PortArgs, WorkerThread};

const ROLE: &str = "TIDEWHEEL_TEST_CHILD";

fn main() {
    match std::env::var(ROLE) {
        Ok(role) => child(&role),
        Err(_) => {
            a_signal_drains();
            a_second_signal_stops_at_once();
            println!("signals: ok");
        }
    }
}

/// A server and a client that holds ten connections, until signalled. It prints `open` when all of
/// them are, and how it ended.
fn child(role: &str) {
    let (a, b) = link::pair(eal(), Link::Ring, &PortArgs::default()).expect("link");
    let clock = Clock::start(eal());
    let mut app = Client::new(10, 10, 10);
    app.close = false;
    let (server, a) = server(a, clock, Echo::default());
    let (client, b) = client(b, clock, app);
    let commands = client.commands();
    let args = ControlArgs {
        interval: Duration::from_millis(20),
        drain_timeout: match role {
            "short" => Duration::from_millis(300),
            _ => Duration::from_secs(600),
        },
    };
    let threads = vec![WorkerThread::new(None, Idle::Yield, server).and(client)];
    let control = Control::start(eal(), vec![a, b], threads, args).expect("threads");
    let mut open = false;
    let end = control.run(|snapshot| {
        if !open
            && commands.board().get("client_echoed") == Some(10)
            && snapshot.total("live") == 20
        {
            open = true;
            println!("open");
        }
    });
    println!("{end:?}");
}

struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    folder: PathBuf,
}

/// Starts the child in `role` and waits for its connections. DPDK's runtime folder goes into
/// `base`.
fn start(role: &str, base: &Path) -> Running {
    let mut child = Command::new(std::env::current_exe().expect("own path"))
        .env(ROLE, role)
        .env("RUNTIME_DIRECTORY", base)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let stdout = child.stdout.take().expect("its output");
    let mut lines = BufReader::new(stdout).lines();
    let first = lines.next().expect("a line").expect("text");
    assert_eq!(first, "open");
    let folder = base.join("dpdk").join(format!("tidewheel-{}", child.id()));
    assert!(folder.exists(), "{}", folder.display());
    Running {
        child,
        lines,
        folder,
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("a living child");
    }

    /// Waits for the end; returns what the child said of it.
    fn end(mut self) -> String {
        let last = self.lines.next().expect("a line").expect("text");
        let status = wait(&mut self.child);
        assert!(status.success(), "{status}");
        assert!(!self.folder.exists(), "{} is left", self.folder.display());
        last
    }
}

/// Waits for a child, a minute at most.
fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().expect("a child");
            panic!("the child does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_signal_drains() {
    let base = tempfile::tempdir().expect("temporary folder");
    let running = start("short", base.path());
    let begin = Instant::now();
    running.signal(Signal::SIGTERM);
    let end = running.end();
    // The connections do not end by themselves.
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(end, "Ok(End { drained: false, reset: 20 })");
}

fn a_second_signal_stops_at_once() {
    let base = tempfile::tempdir().expect("temporary folder");
    let running = start("patient", base.path());
    let begin = Instant::now();
    running.signal(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(100));
    running.signal(Signal::SIGINT);
    let end = running.end();
    assert!(begin.elapsed() < Duration::from_secs(30), "drained on");
    assert_eq!(end, "Ok(End { drained: false, reset: 20 })");
}
