//! One of each role killed in mid-drop and started again: the judge is content all the same.

use std::process::ExitCode;

use serde_json::Value;
use sqlx::PgPool;

use crate::support::process::until;
use crate::support::roles::{PROVIDER_KEY, Roles};

const FANS: u32 = 200;
/// Less than the fans want, 2.5 tickets each; so all of it must be sold.
const CAPACITY: u32 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_of_each_role_costs_nobody_a_seat() {
    let mut roles = Roles::start().await;
    let capacity = CAPACITY.to_string();
    let general = ["--capacity", &capacity, "--price", "general=5000"];
    // slow enough that there is a middle to kill in
    let slow = ["--rate-per-minute", "900", "--claim-window-s", "5", "--session-s", "120"];
    roles.open_drop("an-evening", &general, &slow).await;

    let arguments = crowd(&roles);
    // on a runtime of its own, as the program has it
    let crowd = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(loadtest::cli::run(arguments))
    });
    for (sold, name) in [(40, "waitroom-1"), (100, "admission-1"), (160, "booking-1")] {
        until(&format!("{sold} tickets sold"), async || sold_tickets(&roles.world.pool).await >= sold).await;
        assert!(!crowd.is_finished(), "the drop was over before {name} could be killed");
        roles.kill_and_restart(name).await;
    }
    let code = crowd.await.expect("the load test ran");
    let report = std::fs::read_to_string(roles.dir.path().join("report.json")).unwrap_or_default();
    let report: Value = serde_json::from_str(&report).unwrap_or_default();
    println!("{:#}\n{:#}", report["setting"], report["counts"]);
    let verdict = serde_json::to_string_pretty(&report["verdict"]).expect("JSON");
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS), "{verdict}");
    assert_eq!(report["verdict"]["content"], true, "{verdict}");
    let counts = &report["counts"];
    assert_eq!((&counts["tickets_sold"], &counts["capacity"]), (&CAPACITY.into(), &CAPACITY.into()), "{verdict}");
    let checks = report["verdict"]["checks"].as_array().expect("a list");
    let order = checks.iter().find(|check| check["name"] == "granted in order").expect("a check of the order");
    assert_eq!(order["outcome"], "kept", "{verdict}");
}

fn crowd(roles: &Roles) -> Vec<String> {
    let fans = FANS.to_string();
    let report = roles.dir.path().display().to_string();
    let ledger = format!("{report}/ledger.jsonl");
    let arguments = [
        "loadtest",
        "--url",
        &roles.url,
        "--drop",
        "an-evening",
        "--fans",
        &fans,
        "--leave",
        "0.1",
        "--arrivals",
        "ramp:3",
        "--database-url",
        &roles.world.database_url,
        "--provider-url",
        &roles.provider_url,
        "--provider-key",
        PROVIDER_KEY,
        "--provider-ledger",
        &ledger,
        "--report",
        &report,
        "--settle",
        "120",
        "--timeout",
        "240",
    ];
    arguments.map(str::to_owned).to_vec()
}

async fn sold_tickets(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM tickets WHERE status = 'purchased'")
        .fetch_one(pool)
        .await
        .expect("a count")
}
