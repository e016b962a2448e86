//! How a whole process ends.

use std::time::Duration;

use shared::lifecycle::Lifecycle;

use crate::process::Process;

#[test]
fn a_dying_background_task_fails_the_process() {
    let (status, said) = Process::run("lifecycle::process_with_a_dying_task").end();
    assert!(!status.success());
    assert!(said.contains("background task releaser failed") && said.contains("no lease"), "{said}");
}

#[test]
fn the_first_signal_drains_and_the_second_exits_at_once() {
    let mut process = Process::run("lifecycle::process_that_drains_slowly");
    process.told("started:");
    process.signal("TERM");
    process.told("draining:");
    process.signal("INT");
    let (status, said) = process.end();
    assert_eq!(status.code(), Some(130), "{said}");
}

#[test]
fn a_signal_alone_ends_a_healthy_process_well() {
    let mut process = Process::run("lifecycle::process_that_stops_well");
    process.told("started:");
    process.signal("TERM");
    let (status, said) = process.end();
    assert!(status.success(), "{said}");
}

#[tokio::test]
#[ignore = "a process for the tests above"]
async fn process_with_a_dying_task() -> anyhow::Result<()> {
    let lifecycle = Lifecycle::new();
    lifecycle.spawn("releaser", async { anyhow::bail!("no lease") });
    lifecycle.wait(Duration::from_secs(5)).await
}

#[tokio::test]
#[ignore = "a process for the tests above"]
async fn process_that_drains_slowly() -> anyhow::Result<()> {
    let lifecycle = Lifecycle::new();
    lifecycle.listen_for_signals()?;
    let stop = lifecycle.stopping();
    lifecycle.spawn("slow", async move {
        stop.cancelled().await;
        println!("draining:");
        std::future::pending().await
    });
    println!("started:");
    lifecycle.wait(Duration::from_secs(60)).await
}

#[tokio::test]
#[ignore = "a process for the tests above"]
async fn process_that_stops_well() -> anyhow::Result<()> {
    let lifecycle = Lifecycle::new();
    lifecycle.listen_for_signals()?;
    let stop = lifecycle.stopping();
    lifecycle.spawn("polite", async move {
        stop.cancelled().await;
        Ok(())
    });
    println!("started:");
    lifecycle.wait(Duration::from_secs(60)).await
}
