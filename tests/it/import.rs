//! `onsale import`: good lines in, bad lines named, again changes nothing.

use crate::support::stack::Stack;

const GOOD: &str = concat!(
    r#"{"@type":"MusicEvent","identifier":"it-1","name":"Philharmonic: Shostakovich","startDate":"1999-12-07T20:00:00","#,
    r#""location":{"@type":"MusicVenue","name":"Apollo Rooms","address":"Manhattan, NY"},"#,
    r#""workPerformed":[{"@type":"MusicComposition","name":"LENINGRAD","composer":{"name":"Dmitri Shostakovich"}}]}"#
);
const OTHER: &str = concat!(
    r#"{"@type":"MusicEvent","identifier":"it-2","name":"Philharmonic: Gubaidulina","startDate":"2000-01-08","#,
    r#""location":{"@type":"MusicVenue","name":"Apollo Rooms","address":"Manhattan, NY"}}"#
);

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_are_named_and_good_ones_found() {
    let stack = Stack::start().await;
    let file = stack.dir.path().join("events.ndjson");
    std::fs::write(&file, format!("{GOOD}\nnot json\n{{\"name\":\"no identifier\"}}\n{OTHER}\n")).expect("written");
    let file = file.to_str().expect("UTF-8");

    let said = stack.tool(&["import", file, "--json"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!((&said.json()["imported"], &said.json()["rejected"]), (&2.into(), &2.into()), "{said:?}");
    let problem = said.problem();
    assert_eq!(problem["type"], "/problems/import");
    let lines: Vec<_> = problem["rejected"].as_array().expect("a list").iter().map(|bad| bad["line"].clone()).collect();
    assert_eq!(lines, [2, 3]);

    // it returned, so it can be found
    let found = stack.get("/events/search?q=shostakovich").await;
    assert_eq!(found["total"], 1, "{found}");

    let again = stack.tool_with(&["import", "-", "--json"], &format!("{GOOD}\n{OTHER}\n")).await.ok();
    let report = again.json();
    assert_eq!(
        (&report["imported"], &report["changed"], &report["unchanged"]),
        (&0.into(), &0.into(), &2.into()),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_found_out_before_the_first_is_read() {
    let stack = Stack::start().await;
    let good = stack.dir.path().join("good.ndjson");
    std::fs::write(&good, format!("{GOOD}\nnot json\n")).expect("written");
    let good = good.to_str().expect("UTF-8");

    let said = stack.tool(&["import", good, "missing.ndjson"]).await;
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert!(said.err.contains("cannot read missing.ndjson"), "{said:?}");

    // nothing of it is in; and a database named outright is still the running stack's, whose index is waited for
    let file = stack.file();
    let database = file["database_url"].as_str().expect("a URL");
    let said = stack.tool(&["import", good, "--json", "--database-url", database]).await;
    assert_eq!((said.code, &said.json()["imported"]), (1, &1.into()), "{said:?}");
    let found = stack.get("/events/search?q=shostakovich").await;
    assert_eq!(found["total"], 1, "{found}");
}

#[cfg(target_os = "linux")] // for a file that opens and cannot be read
#[tokio::test(flavor = "multi_thread")]
async fn what_went_in_before_an_import_broke_off_is_told() {
    let stack = Stack::start().await;
    let good = stack.dir.path().join("good.ndjson");
    std::fs::write(&good, format!("{GOOD}\nnot json\n")).expect("written");
    let said = stack.tool(&["import", good.to_str().expect("UTF-8"), "/proc/self/mem", "--json"]).await;
    assert_eq!((said.code, &said.json()["imported"]), (1, &1.into()), "{said:?}");
    let problem = said.problem();
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("/proc/self/mem")), "{problem}");
    assert_eq!(problem["rejected"][0]["line"], 2, "{problem}");
}
