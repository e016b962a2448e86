//! Exit codes and messages, before anything runs.

use crate::support::folder;
use crate::support::process::{onsale, run};

#[tokio::test]
async fn a_misunderstood_command_is_exit_2() {
    let said = run(onsale().arg("fly"), "").await;
    assert_eq!(said.code, 2, "{said:?}");
    let said = run(onsale().args(["--json", "drop", "create", "Not A Slug"]), "").await;
    assert_eq!(said.code, 2, "{said:?}");
    assert_eq!(said.problem()["type"], "/problems/usage");
}

#[tokio::test]
async fn help_and_version_are_exit_0() {
    for argument in ["--help", "--version"] {
        let said = run(onsale().arg(argument), "").await.ok();
        assert!(said.out.contains("onsale"), "{said:?}");
    }
}

#[tokio::test]
async fn no_stack_is_exit_3() {
    let dir = folder();
    for arguments in [
        &["drop", "list"][..],
        &["migrate"],
        &["import", "-"],
        &["event", "create", "--name", "x", "--venue", "stadium", "--date", "2027-01-01"],
        &["operator", "add", "a@example.org"],
    ] {
        let said = run(onsale().arg("--data-dir").arg(dir.path()).arg("--json").args(arguments), "").await;
        assert_eq!(said.code, 3, "{said:?}");
        assert_eq!(said.problem()["type"], "/problems/no-stack");
    }
}

#[tokio::test]
async fn a_stack_file_left_by_a_killed_stack_is_no_stack() {
    let dir = folder();
    let left = r#"{"url":"","private_url":"","redis_url":"","database_url":"","provider_url":null,"provider_key":null,"pid":1}"#;
    std::fs::write(dir.path().join("stack.json"), left).expect("written");
    let said = run(onsale().arg("--data-dir").arg(dir.path()).args(["drop", "list"]), "").await;
    assert_eq!(said.code, 3, "{said:?}");
}

#[tokio::test]
async fn a_wrong_setting_names_itself_and_its_source() {
    let dir = folder();
    let mut command = onsale();
    command.arg("--data-dir").arg(dir.path()).args(["up", "--json"]).env("ONSALE_BOOKING__HODL_S", "60");
    let said = run(&mut command, "").await;
    assert_eq!(said.code, 2, "{said:?}");
    let problem = said.problem();
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("hodl_s") && detail.contains("ONSALE_BOOKING__HODL_S"), "{detail}");
}

#[tokio::test]
async fn plain_http_beyond_loopback_is_refused() {
    let dir = folder();
    let said = run(onsale().arg("--data-dir").arg(dir.path()).args(["waitroom", "--listen", "0.0.0.0:0"]), "").await;
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--insecure-cookies"), "{said:?}");
}

#[tokio::test]
async fn doctor_looks_at_the_machine_without_a_stack() {
    let dir = folder();
    let said = run(onsale().arg("--data-dir").arg(dir.path()).args(["doctor", "--json"]), "").await.ok();
    let findings = said.json()["findings"].clone();
    let checks: Vec<_> = findings.as_array().expect("a list").iter().map(|finding| &finding["check"]).collect();
    assert!(checks.contains(&&"redis program".into()) && checks.contains(&&"open files".into()), "{checks:?}");
}
