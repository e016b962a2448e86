//! `onsale up` from the start to the last process.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::support::folder;
use crate::support::process::{onsale, run, until};
use crate::support::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn a_private_stack_starts_survives_a_kill_and_leaves_nothing() {
    let mut stack = Stack::start_private(folder()).await;
    let file = stack.file();
    assert_eq!(file["url"], stack.url.as_str());
    assert_eq!(file["pid"], stack.server.pid());
    let mode = std::fs::metadata(stack.dir.path().join("stack.json")).expect("stack.json").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let ready = reqwest::get(format!("{}/health/ready", file["private_url"].as_str().expect("a URL"))).await;
    assert_eq!(ready.expect("an answer").status(), 200);
    let event = stack.event().await;

    // a second one in the same folder is refused, and the first one goes on
    let second = run(onsale().arg("--data-dir").arg(stack.dir.path()).arg("up"), "").await;
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains("in use"), "{second:?}");

    // killed without warning: its servers go with it
    let servers = servers(&file).await;
    stack.server.signal("KILL").await;
    stack.server.ended().await;
    gone(&servers).await;

    // and the next one finds everything it had
    let mut stack = Stack::start_private(stack.dir).await;
    let details = stack.get(&format!("/events/details/{event}")).await;
    assert_eq!(details["name"], "An evening");

    let servers = self::servers(&stack.file()).await;
    stack.server.signal("INT").await;
    let status = stack.server.ended().await;
    assert!(status.success(), "{status:?}\n{}", stack.server.log());
    gone(&servers).await;
    assert!(!stack.dir.path().join("stack.json").exists());
    let left: Vec<_> = processes_naming(stack.dir.path());
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_of_all_roles_describes_itself() {
    let stack = Stack::start().await;
    let answer = reqwest::get(format!("{}/openapi.json", stack.url)).await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
    let api: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
    assert_eq!(api["openapi"], "3.1.0");
    for path in ["/queue/{drop}/join", "/booking/checkout", "/ops/api/drops/{id}"] {
        assert!(api["paths"][path].is_object(), "{path} in {api}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_is_content_with_a_running_stack() {
    let stack = Stack::start().await;
    let said = stack.tool(&["doctor", "--json"]).await;
    let json = said.json();
    let level = |check: &str| {
        json["findings"].as_array().expect("a list").iter().find(|f| f["check"] == check).map(|f| f["level"].clone())
    };
    for check in ["stack", "keys", "postgres", "migrations", "redis", "maxmemory-policy", "clocks"] {
        assert_eq!(level(check), Some("ok".into()), "{check} in {json}");
    }
}

/// The process ids of the stack's Redis and Postgres.
async fn servers(file: &Value) -> Vec<i64> {
    let text = |key: &str| file[key].as_str().expect("a URL").to_owned();
    let client = redis::Client::open(text("redis_url")).expect("a URL");
    let mut redis = client.get_multiplexed_async_connection().await.expect("Redis answers");
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut redis).await.expect("INFO");
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).expect("a process id");
    let pool = sqlx::PgPool::connect(&text("database_url")).await.expect("Postgres answers");
    let folder: String =
        sqlx::query_scalar("SELECT current_setting('data_directory')").fetch_one(&pool).await.expect("a folder");
    pool.close().await;
    let lock = std::fs::read_to_string(Path::new(&folder).join("postmaster.pid")).expect("postmaster.pid");
    vec![pid.trim().parse().expect("a number"), lock.lines().next().expect("a line").trim().parse().expect("a number")]
}

async fn gone(pids: &[i64]) {
    until("the private servers are gone", async || !pids.iter().any(|pid| runs(*pid))).await;
}

/// A zombie does not run any more; it waits for whoever adopted it.
fn runs(pid: i64) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => false,
    }
}

/// Command lines that name this folder; Linux only, empty elsewhere.
fn processes_naming(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let name = dir.display().to_string();
    entries
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&name))
        .collect()
}
