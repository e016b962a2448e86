//! Debian's nginx with the configuration that is shipped, only its addresses changed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::process::until;

const SHIPPED: &str = include_str!("../../../deploy/nginx.conf");

pub(crate) struct Nginx {
    _child: Child,
}

/// Where nginx is.
///
/// # Panics
/// When it is nowhere: a test that is passed over in silence tests nothing.
pub(crate) fn program() -> PathBuf {
    let named = std::env::var_os("NGINX").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named
        .into_iter()
        .chain(std::env::split_paths(&path).map(|folder| folder.join("nginx")))
        .chain([PathBuf::from("/usr/sbin/nginx")])
        .find(|file| file.is_file())
        .expect("nginx is not installed: run scripts/setup.sh --tests, or set NGINX to the program")
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Nginx {
    /// Starts it on `port`; `upstreams` are pairs of a name in the configuration and a real address.
    pub(crate) async fn start(program: &Path, dir: &Path, port: u16, upstreams: &[(String, String)]) -> Self {
        let mut text = SHIPPED.replace("/tmp/", &format!("{}/", dir.display()));
        text = text.replace("listen 8080 ", &format!("listen 127.0.0.1:{port} ")).replace("65536;", "16384;");
        text = text.replace("access_log /dev/stdout", &format!("access_log {}/access.log", dir.display()));
        for (name, address) in upstreams {
            assert!(text.contains(name), "deploy/nginx.conf names no {name}");
            text = text.replace(name, address);
        }
        let file = dir.join("nginx.conf");
        std::fs::write(&file, text).expect("written");
        let log = std::fs::File::create(dir.join("nginx.log")).expect("a log");
        let child = Command::new(program)
            .arg("-p")
            .arg(dir)
            .arg("-c")
            .arg(&file)
            .args(["-g", "daemon off; master_process off;", "-e", "stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("nginx starts");
        until("nginx answers", async || {
            let answer = reqwest::get(format!("http://127.0.0.1:{port}/proxy-health")).await;
            answer.is_ok_and(|answer| answer.status() == 204)
        })
        .await;
        Self { _child: child }
    }
}
