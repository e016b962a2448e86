//! A hundred and sixty parties at once in a hall of eight thousand seats.

use super::hall::{Asked, Solver, on_sale, withdraw_all_but};
use super::*;

const PARTIES: usize = 160;

/// 80 rows of 50 seats on either side of an aisle.
fn rows() -> Vec<String> {
    vec![format!("{0} {0}", ".".repeat(50)); 80]
}

/// One to eight seats; two in three parties are particular about something.
fn asked(party: usize) -> Asked {
    let mut asked = Asked { quantity: i64::try_from(party * 5 % 8 + 1).unwrap(), ..Asked::default() };
    match party % 6 {
        0 => asked.tier = Some("near"),
        1 => asked.tier = Some("far"),
        2 => asked.zone = Some("left"),
        3 => asked.max_price = Some(hall::FAR_PRICE),
        _ => {}
    }
    asked
}

/// Runs of one to nine seats here and there, some 330 in all: less than half of what is wanted.
fn last_seats() -> Vec<String> {
    let mut labels = Vec::new();
    for row in 0..80_usize {
        let (from, length) = (row * 37 % 90 + 1, row * 7 % 9 + 1);
        let side = if from <= 50 { 1..=50 } else { 52..=101 };
        let numbers = (from..from + length).filter(|number| side.contains(number));
        labels.extend(numbers.map(|number| format!("{}-{number}", row + 1)));
    }
    labels
}

/// Everybody at once, spread over the processes; every answer is judged by what is left at the end. Seats are only
/// taken meanwhile, so what is free then was free all along.
async fn rush(fixture: &Fixture, urls: &[&str], sale: &Sale) -> Vec<(Asked, Answer)> {
    let mut parties = Vec::with_capacity(PARTIES);
    for party in 0..PARTIES {
        parties.push((asked(party), buyer(fixture, sale).await));
    }
    let asking = parties.iter().enumerate().map(|(party, (asked, buyer))| {
        let request = fixture
            .http
            .post(format!("{}/booking/checkout", urls[party % urls.len()]))
            .bearer_auth(&buyer.fan.session)
            .header("Idempotency-Key", Uuid::new_v4().to_string())
            .header("Onsale-Admission", &buyer.token)
            .header("Onsale-Visitor", buyer.fan.visitor.expose())
            .json(&asked.body(sale));
        Answer::of(request)
    });
    let answers = futures_util::future::join_all(asking).await;
    let asked: Vec<Asked> = parties.into_iter().map(|(asked, _)| asked).collect();

    let solver = Solver::look(fixture, sale).await;
    for (asked, answer) in asked.iter().zip(&answers) {
        let block = solver.block(asked);
        if answer.status == 201 {
            let (are_right, are_adjacent) = solver.judge(asked, &answer.seats());
            assert!(are_right, "{asked:?} got {answer:?}");
            assert!(are_adjacent || block.is_none(), "{asked:?} got seats apart, and {block:?} is free");
        } else {
            assert_eq!(answer.told(), (409, "sold-out"), "{asked:?}");
            assert_eq!(block, None, "{asked:?} was refused");
            assert!(solver.left(asked) < usize::try_from(asked.quantity).unwrap(), "{asked:?} was refused");
        }
    }
    asked.into_iter().zip(answers).collect()
}

/// What the rule of singles is worth: without Redis, processes see each other's seats only when they are sold.
#[derive(PartialEq)]
enum Singles {
    Never,
    Between,
}

async fn nobody_is_refused(fixture: &Fixture, urls: &[&str], singles: Singles) {
    let sale = on_sale(fixture, &rows()).await;
    booking::seats::projection::do_once(&fixture.app).await.unwrap();
    let answers = rush(fixture, urls, &sale).await;
    let refused = answers.iter().filter(|(_, answer)| answer.status != 201).count();
    assert_eq!(refused, 0);
    let solver = Solver::look(fixture, &sale).await;
    if singles == Singles::Never {
        assert_eq!(solver.singles(), Vec::<&str>::new(), "with so much room nobody is left alone");
    }
    for (asked, answer) in &answers {
        assert!(solver.judge(asked, &answer.seats()).1, "{asked:?} got seats apart");
    }
}

/// More is wanted than there is, and what there is is in small pieces.
async fn the_last_are_sold(fixture: &Fixture, urls: &[&str]) {
    let sale = on_sale(fixture, &rows()).await;
    let labels = last_seats();
    withdraw_all_but(fixture, &sale, &labels).await;
    booking::seats::projection::do_once(&fixture.app).await.unwrap();
    let answers = rush(fixture, urls, &sale).await;
    let sold: usize = answers.iter().filter(|(_, a)| a.status == 201).map(|(_, a)| a.seats().len()).sum();
    let anything = Asked { quantity: 1, ..Asked::default() };
    let left = Solver::look(fixture, &sale).await.left(&anything);
    assert_eq!(sold + left, labels.len());
    assert!(answers.iter().any(|(_, answer)| answer.status == 409), "more was wanted than there is");
}

fn silent() -> Value {
    json!({ "hold_timeout_ms": 0 })
}

/// Another process, of which nobody reckons how often one address asks.
async fn second(fixture: &Fixture, mut settings: Value) -> String {
    settings["limits"] = json!({ "checkout": { "per_minute": 100_000, "burst": 10_000 } });
    fixture.beside(settings).await
}

#[tokio::test]
async fn eight_thousand_seats_hold_a_hundred_and_sixty_parties() {
    let fixture = still().await;
    nobody_is_refused(&fixture, &[&fixture.url], Singles::Never).await;
}

#[tokio::test]
async fn eight_thousand_seats_hold_them_while_redis_is_silent() {
    let fixture = still_with(silent()).await;
    nobody_is_refused(&fixture, &[&fixture.url], Singles::Never).await;
}

#[tokio::test]
async fn two_processes_serve_them_together() {
    let fixture = still().await;
    let second = second(&fixture, json!({})).await;
    nobody_is_refused(&fixture, &[&fixture.url, &second], Singles::Never).await;
}

#[tokio::test]
async fn two_processes_serve_them_while_redis_is_silent() {
    let fixture = still_with(silent()).await;
    let second = second(&fixture, silent()).await;
    nobody_is_refused(&fixture, &[&fixture.url, &second], Singles::Between).await;
}

#[tokio::test]
async fn the_last_seats_go_to_whom_they_fit() {
    let fixture = still().await;
    the_last_are_sold(&fixture, &[&fixture.url]).await;
}

#[tokio::test]
async fn the_last_seats_go_to_whom_they_fit_while_redis_is_silent() {
    let fixture = still_with(silent()).await;
    the_last_are_sold(&fixture, &[&fixture.url]).await;
}

#[tokio::test]
async fn two_processes_sell_the_last_seats() {
    let fixture = still().await;
    let second = second(&fixture, json!({})).await;
    the_last_are_sold(&fixture, &[&fixture.url, &second]).await;
}

#[tokio::test]
async fn two_processes_sell_the_last_seats_while_redis_is_silent() {
    let fixture = still_with(silent()).await;
    let second = second(&fixture, silent()).await;
    the_last_are_sold(&fixture, &[&fixture.url, &second]).await;
}

/// One process sees Redis, the other does not: they meet in Postgres.
#[tokio::test]
async fn two_processes_sell_the_last_seats_while_one_has_lost_redis() {
    let fixture = still().await;
    let second = second(&fixture, silent()).await;
    the_last_are_sold(&fixture, &[&fixture.url, &second]).await;
}
