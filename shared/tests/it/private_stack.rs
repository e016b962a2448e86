//! Servers of our own: started, stopped, started again, and never left behind.

use std::path::{Path, PathBuf};

use shared::{
    postgres,
    private_stack::{PrivatePostgres, PrivateRedis, Scratch},
    redis,
};
use sqlx::Connection as _;

use crate::process::{Process, eventually, is_running};

/// The servers a data folder's pid files name.
fn pids(data: &Path) -> [u32; 2] {
    [data.join("postgres/data/postmaster.pid"), data.join("redis/redis.pid")].map(|path| {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.lines().next().unwrap().trim().parse().unwrap()
    })
}

/// The folder of a process that is killed. No other test sweeps these.
const KILLED: &str = "onsale-killed-test";

fn data() -> Scratch {
    data_named("onsale-stack-test")
}

fn data_named(name: &str) -> Scratch {
    use std::os::unix::fs::PermissionsExt as _;
    let data = Scratch::new(name).unwrap();
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    data
}

async fn connect(url: String) -> redis::Redis {
    redis::connect(&redis::Settings { url: url.into(), prefix: "t".into() }).await.unwrap()
}

#[tokio::test]
async fn data_outlives_a_stop_a_crash_and_a_stale_pid_file() {
    let data = data();
    let mut postgres = PrivatePostgres::start(data.path()).await.unwrap();
    let mut redis = PrivateRedis::start(data.path()).await.unwrap();
    let [postgres_pid, redis_pid] = pids(data.path());

    let settings = postgres::Settings { url: postgres.url().into(), max_connections: 2, acquire_timeout_ms: 2000 };
    let pool = postgres::connect(&settings).await.unwrap();
    postgres::MIGRATOR.run(&pool).await.unwrap();
    sqlx::query("INSERT INTO performers (performer_id, name) VALUES (gen_random_uuid(), 'Argerich')")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let mut connection = connect(redis.url()).await;
    ::redis::cmd("SET").arg("k").arg("v").exec_async(&mut connection).await.unwrap();

    redis.stop().await.unwrap();
    postgres.stop().await.unwrap();
    assert!(!is_running(postgres_pid) && !is_running(redis_pid));
    assert!(postgres.check().is_err() && redis.check().is_err());
    drop((postgres, redis));

    // another process has the number by now
    std::fs::write(data.path().join("postgres/data/postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
    std::fs::write(data.path().join("redis/redis.pid"), format!("{}\n", std::process::id())).unwrap();
    let postgres = PrivatePostgres::start(data.path()).await.unwrap();
    let redis = PrivateRedis::start(data.path()).await.unwrap();
    let mut connection = sqlx::PgConnection::connect(&postgres.url()).await.unwrap();
    let name: String = sqlx::query_scalar("SELECT name FROM performers").fetch_one(&mut connection).await.unwrap();
    assert_eq!(name, "Argerich");
    let value: String = ::redis::cmd("GET").arg("k").query_async(&mut connect(redis.url()).await).await.unwrap();
    assert_eq!(value, "v");

    // dropped without a stop: the log is replayed
    let again = pids(data.path());
    drop((postgres, redis));
    assert!(again.iter().all(|pid| !is_running(*pid)));
    let postgres = PrivatePostgres::start(data.path()).await.unwrap();
    let mut connection = sqlx::PgConnection::connect(&postgres.url()).await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM performers").fetch_one(&mut connection).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_data_folder_in_use_is_refused() {
    let data = data();
    let _redis = PrivateRedis::start(data.path()).await.unwrap();
    let error = PrivateRedis::start(data.path()).await.unwrap_err();
    assert!(format!("{error:#}").contains("in use by another process"), "{error:#}");
}

#[tokio::test]
async fn a_killed_parent_leaves_no_server() {
    let mut parent = Process::run("private_stack::process_with_servers");
    let data = parent.told("data:");
    let pids = pids(Path::new(&data));
    assert!(pids.iter().all(|pid| is_running(*pid)));
    parent.signal("KILL");
    let (status, said) = parent.end();
    assert!(!status.success(), "{said}");
    for pid in pids {
        eventually("the servers of a killed parent end", || !is_running(pid)).await;
    }
    drop(data_named(KILLED)); // sweeps what the killed one left
    assert!(!Path::new(&data).exists());
}

#[tokio::test]
async fn the_next_start_waits_for_the_servers_of_a_killed_parent() {
    let data = data();
    let mut parent = Process::run_with("private_stack::process_with_servers", ("DATA", data.path()));
    parent.told("data:");
    parent.signal("KILL");
    parent.end();
    let mut postgres = PrivatePostgres::start(data.path()).await.unwrap();
    let mut redis = PrivateRedis::start(data.path()).await.unwrap();
    postgres.stop().await.unwrap();
    redis.stop().await.unwrap();
}

#[tokio::test]
#[ignore = "a process for the tests above"]
async fn process_with_servers() {
    let given = std::env::var_os("DATA").map(PathBuf::from);
    let own = given.is_none().then(|| data_named(KILLED));
    let data = given.or_else(|| Some(own.as_ref()?.path().to_owned())).unwrap();
    let _postgres = PrivatePostgres::start(&data).await.unwrap();
    let _redis = PrivateRedis::start(&data).await.unwrap();
    println!("data:{}", data.display());
    std::future::pending::<()>().await;
}
