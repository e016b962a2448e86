//! A stack by `onsale up`, on the test's own database and keys.

use serde_json::Value;
use shared::testing::{World, world};
use tempfile::TempDir;
use tokio::process::Command;

use super::process::{Said, Server, onsale, run};

pub(crate) struct Stack {
    pub(crate) server: Server,
    pub(crate) url: String,
    pub(crate) dir: TempDir,
    prefix: Option<String>,
    world: Option<World>,
}

impl Stack {
    /// On the test run's servers, in a database and under a key prefix of its own.
    pub(crate) async fn start() -> Self {
        Self::start_in(super::folder(), &[]).await
    }

    /// The same in a given folder, with more flags.
    pub(crate) async fn start_in(dir: TempDir, flags: &[&str]) -> Self {
        Self::start_with(dir, flags, &[]).await
    }

    /// And with more of an environment.
    pub(crate) async fn start_with(dir: TempDir, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let world = world().await;
        let prefix = world.redis.prefix().to_owned();
        let mut command = up(&dir);
        command.env("DATABASE_URL", &world.database_url).env("REDIS_URL", &world.redis_url);
        command.arg("--set").arg(format!("redis.prefix={prefix}")).envs(environment.iter().copied());
        let (server, url) = ready(command.args(flags), &dir).await;
        Self { server, url, dir, prefix: Some(prefix), world: Some(world) }
    }

    /// With Redis and Postgres of its own, as a newcomer has it.
    pub(crate) async fn start_private(dir: TempDir) -> Self {
        let (server, url) = ready(&mut up(&dir), &dir).await;
        Self { server, url, dir, prefix: None, world: None }
    }

    /// Runs a tool on this stack.
    pub(crate) async fn tool(&self, arguments: &[&str]) -> Said {
        self.tool_with(arguments, "").await
    }

    pub(crate) async fn tool_with(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = onsale();
        command.arg("--data-dir").arg(self.dir.path()).args(arguments);
        if let Some(prefix) = &self.prefix {
            command.arg("--set").arg(format!("redis.prefix={prefix}"));
        }
        run(&mut command, input).await
    }

    /// An event at Carnegie Hall.
    pub(crate) async fn event(&self) -> String {
        let said = self
            .tool(&[
                "event",
                "create",
                "--json",
                "--name",
                "An evening",
                "--venue",
                "carnegie-hall",
                "--date",
                &super::next_year("03-12"),
            ])
            .await
            .ok();
        said.json()["event_id"].as_str().expect("an id").to_owned()
    }

    /// As if Redis had come back empty: what steers a drop's line is gone, and made anew from the books.
    pub(crate) async fn lose_line(&self, drop: &str) {
        let mut redis = self.world.as_ref().expect("a world of the test's own").redis.clone();
        let control = format!("{}:{{{drop}}}:control", redis.prefix());
        let gone: u64 = redis::cmd("DEL").arg(&control).query_async(&mut redis).await.expect("Redis answers");
        assert_eq!(gone, 1, "{control} is the control's key");
    }

    /// What `stack.json` says.
    pub(crate) fn file(&self) -> Value {
        let text = std::fs::read_to_string(self.dir.path().join("stack.json")).expect("stack.json");
        serde_json::from_str(&text).expect("JSON")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {status} {text}"))
    }
}

fn up(dir: &TempDir) -> Command {
    let mut command = onsale();
    command.args(["up", "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
    command
}

async fn ready(command: &mut Command, dir: &TempDir) -> (Server, String) {
    let mut server = Server::start(command, &dir.path().join("up.log"));
    let url = server.ready().await;
    (server, url)
}
