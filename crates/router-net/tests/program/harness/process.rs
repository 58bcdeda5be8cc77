//! Starting and ending the program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::{fs, thread};

use super::PATIENCE;
use super::control::Control;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tertulia-router");

/// A folder that is gone at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tertulia-router-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A router on a free port of 127.0.0.1.
pub struct RunningRouter {
    child: Child,
    pub link: PathBuf,
    pub udp_port: u16,
    _folder: Folder,
}

impl RunningRouter {
    pub fn start() -> Self {
        Self::start_in(Folder::new())
    }

    pub fn start_in(folder: Folder) -> Self {
        Self::start_with(folder, &[])
    }

    pub fn start_with_shards(count: u16) -> Self {
        Self::start_with(Folder::new(), &["--shards", &count.to_string()])
    }

    fn start_with(folder: Folder, flags: &[&str]) -> Self {
        let link = folder.0.join("link.sock");
        let mut child = Command::new(PROGRAM)
            .args(["--bind", "127.0.0.1", "--port", "0", "--log", "info", "--link"])
            .arg(&link)
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let said = child.stderr.take().expect("its standard error");
        let mut router = Self { child, link, udp_port: 0, _folder: folder };
        await_ready(said);
        let mut control = Control::connect(&router.link);
        router.udp_port = control.hello()["result"]["udp_port"].as_u64().expect("a port") as u16;
        router
    }

    /// Sends SIGTERM and returns the exit status.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for RunningRouter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program with flags that it must refuse; returns status and standard error.
pub fn run_to_end(flags: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM)
        .args(flags)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Returns when the program says that it is ready; fails at once if it ends instead. Warnings are passed on.
fn await_ready(said: ChildStderr) {
    let (ready, is_ready) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            if line.contains("\"router ready\"") {
                let _ = ready.send(());
            } else if !line.contains("\"INFO\"") {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    });
    is_ready.recv_timeout(PATIENCE).expect("it is ready in time");
}
