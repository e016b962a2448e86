//! The production shape as processes: two of each role, one sandbox, nginx in front.

use std::collections::HashMap;
use std::path::Path;

use shared::testing::{World, world};
use tempfile::TempDir;
use tokio::process::Command;

use super::nginx::{self, Nginx};
use super::process::{Said, Server, onsale, run};

pub(crate) const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
pub(crate) const INDEX_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
pub(crate) const PROVIDER_KEY: &str = "sk_test_of_the_roles";
const NAMES: [&str; 6] = ["waitroom-1", "waitroom-2", "admission-1", "admission-2", "booking-1", "booking-2"];

pub(crate) struct Roles {
    pub(crate) url: String,
    pub(crate) provider_url: String,
    pub(crate) dir: TempDir,
    pub(crate) world: World,
    servers: HashMap<&'static str, (Server, String)>,
    _sandbox: Server,
    _nginx: Nginx,
}

impl Roles {
    /// Starts everything.
    pub(crate) async fn start() -> Self {
        let program = nginx::program();
        let (dir, world) = (super::folder(), world().await);
        let port = nginx::free_port();
        let url = format!("http://127.0.0.1:{port}");
        let config = dir.path().join("onsale.toml");

        std::fs::write(&config, settings(&url, "http://127.0.0.1:1", dir.path(), &world)).expect("written");
        let mut sandbox = role("sandbox", "sandbox", "127.0.0.1:0", dir.path());
        let provider_url = sandbox.ready().await;
        std::fs::write(&config, settings(&url, &provider_url, dir.path(), &world)).expect("written");
        run(with_settings(dir.path()).arg("migrate"), "").await.ok();

        let mut servers = HashMap::new();
        for name in NAMES {
            servers.insert(name, (role(kind(name), name, "127.0.0.1:0", dir.path()), String::new()));
        }
        let mut upstreams = Vec::new();
        for (name, (server, address)) in &mut servers {
            *address = server.ready().await.replace("http://", "");
            upstreams.push((format!("{name}:8080"), address.clone()));
        }
        let nginx = Nginx::start(&program, dir.path(), port, &upstreams).await;
        Self { url, provider_url, dir, world, servers, _sandbox: sandbox, _nginx: nginx }
    }

    /// Kills a process without warning.
    pub(crate) async fn kill(&mut self, name: &'static str) {
        let (server, _) = self.servers.get_mut(name).expect("a known name");
        server.signal("KILL").await;
        server.ended().await;
    }

    /// Kills a process without warning, and starts it again at its old address.
    pub(crate) async fn kill_and_restart(&mut self, name: &'static str) {
        self.kill(name).await;
        let (server, address) = self.servers.get_mut(name).expect("a known name");
        *server = role(kind(name), name, address, self.dir.path());
        server.ready().await;
    }

    /// Runs a tool on the same stores.
    pub(crate) async fn tool(&self, arguments: &[&str]) -> Said {
        run(with_settings(self.dir.path()).args(arguments), "").await
    }

    /// Puts a concert on sale at Carnegie Hall, open from now; gives its id.
    pub(crate) async fn open_drop(&self, id: &str, event: &[&str], drop: &[&str]) -> String {
        let create = ["event", "create", "--json", "--name", "An evening", "--venue", "carnegie-hall"];
        let date = super::next_year("03-12");
        let created = self.tool(&[&create, &["--date", &date][..], event].concat()).await.ok().json();
        let event = created["event_id"].as_str().expect("an id").to_owned();
        self.tool(&[&["drop", "create", id, "--event", &event], drop].concat()).await.ok();
        self.tool(&["drop", "open", id]).await.ok();
        event
    }
}

fn kind(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

fn role(kind: &str, name: &str, listen: &str, dir: &Path) -> Server {
    let mut command = with_settings(dir);
    command.args([kind, "--listen", listen, "--private-listen", "127.0.0.1:0", "--data-dir"]).arg(dir.join(name));
    Server::start(&mut command, &dir.join(format!("{name}.log")))
}

fn with_settings(dir: &Path) -> Command {
    let mut command = onsale();
    command.arg("--config").arg(dir.join("onsale.toml"));
    command
}

fn settings(url: &str, provider_url: &str, dir: &Path, world: &World) -> String {
    format!(
        r#"
[server]
public_url = "{url}"
trusted_proxies = ["127.0.0.1/32"]
[redis]
url = "{redis}"
prefix = "{prefix}"
[postgres]
url = "{postgres}"
max_connections = 8
[keys]
master_keys = ["{MASTER_KEY}"]
index_key = "{INDEX_KEY}"
[booking.stripe]
api_base = "{provider_url}"
secret_key = "{PROVIDER_KEY}"
publishable_key = "pk_test_of_the_roles"
webhook_secret = "whsec_of_the_roles"
[sandbox]
ledger = "{dir}/ledger.jsonl"
secret_key = "{PROVIDER_KEY}"
publishable_key = "pk_test_of_the_roles"
webhook_secret = "whsec_of_the_roles"
webhook_url = "{url}/payments/stripe/webhook"
"#,
        redis = world.redis_url,
        prefix = world.redis.prefix(),
        postgres = world.database_url,
        dir = dir.display(),
    )
}
