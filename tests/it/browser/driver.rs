//! Chromium's driver as a child process, and its sessions.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use fantoccini::ClientBuilder;
use fantoccini::wd::Capabilities;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::screen::Screen;
use super::tab::Tab;
use crate::support::nginx::free_port;
use crate::support::process::until;

/// Whose turn it is to have browsers.
static TURN: Mutex<()> = Mutex::const_new(());

pub(super) struct Driver {
    child: Child,
    port: u16,
    _turn: MutexGuard<'static, ()>,
}

impl Driver {
    /// Starts the driver when nobody else has one. `None`, said loudly, on a machine without Chromium.
    pub(super) async fn start(test: &str) -> Option<Self> {
        let (Some(driver), Some(_)) = (program(&["CHROMEDRIVER"], &["chromedriver"]), chromium()) else {
            skipped(test, "Chromium or its driver is not installed: run scripts/setup.sh --tests");
            return None;
        };
        let turn = TURN.lock().await;
        let port = free_port();
        let child = Command::new(driver)
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        until("Chromium's driver listens", async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).await;
        Some(Self { child, port, _turn: turn })
    }

    /// A browser of its own, with nobody's cookies, that resolves paths against `site`.
    pub(super) async fn open(&self, site: &str, screen: Screen) -> Tab {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities());
        let client = builder.connect(&format!("http://127.0.0.1:{}", self.port)).await.expect("Chromium starts");
        let tab = Tab::new(client, site);
        tab.show_on(screen).await;
        tab
    }
}

/// Says past the harness's capture that something was left out; scripts/test.sh counts it.
pub(super) fn skipped(test: &str, why: &str) {
    writeln!(std::io::stderr(), "SKIPPED: {test}: {why}").expect("standard error");
}

impl Drop for Driver {
    /// Asks for the end of all sessions first: a driver that is killed leaves its browsers behind.
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            let asked = stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            let mut answer = Vec::new();
            if asked.and_then(|()| stream.read_to_end(&mut answer)).is_ok() && self.child.wait().is_ok() {
                return;
            }
        }
        // it does not answer any more, so there is nothing left to ask for
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn capabilities() -> Capabilities {
    let mut arguments = vec!["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"];
    if is_root() {
        arguments.push("--no-sandbox"); // Chromium refuses to run as root with it
    }
    let mut chrome = json!({ "args": arguments });
    if let Some(binary) = chromium() {
        chrome["binary"] = binary.display().to_string().into();
    }
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": chrome,
        "goog:loggingPrefs": { "browser": "ALL" },
        "timeouts": { "script": 90_000 },
    });
    match capabilities {
        Value::Object(map) => map,
        _ => unreachable!("an object was written above"),
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn chromium() -> Option<PathBuf> {
    let apps = ["Google Chrome", "Chromium"].map(|name| format!("/Applications/{name}.app/Contents/MacOS/{name}"));
    let named = program(&["CHROMIUM"], &["chromium", "chromium-browser", "google-chrome"]);
    named.or_else(|| apps.into_iter().map(PathBuf::from).find(|file| file.is_file()))
}

/// The program a variable names, or the first on the path.
fn program(variables: &[&str], names: &[&str]) -> Option<PathBuf> {
    let named = variables.iter().find_map(std::env::var_os).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = || std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    named.into_iter().chain(found()).find(|file| file.is_file())
}
