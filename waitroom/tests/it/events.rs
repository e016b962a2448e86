//! The live stream.

use std::time::Duration;

use admission::{
    ids::DropId,
    line::{Notice, Phase},
};
use futures_util::StreamExt as _;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use shared::clock::Clock;

use crate::stage::{Stage, read, stage};

/// How long a test waits for a frame before it calls the stream dead.
pub(crate) const SOON: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// Reads frames; beats and when to come back are passed over.
pub(crate) struct Frames {
    bytes: futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

pub(crate) async fn open(request: RequestBuilder) -> Frames {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert!(answer.headers().get("content-encoding").is_none(), "a compressed stream would stall");
    Frames { bytes: answer.bytes_stream().boxed(), text: String::new() }
}

impl Frames {
    /// The next frame, or `None` when the stream ended.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start().to_owned()).unwrap_or_default()
                };
                if field("data:").is_empty() || field("event:") == "beat" {
                    continue;
                }
                let data = serde_json::from_str(&field("data:")).unwrap();
                return Some(Frame { event: field("event:"), id: field("id:"), data });
            }
            let bytes = tokio::time::timeout(SOON, self.bytes.next()).await.expect("a frame in time")?;
            self.text.push_str(std::str::from_utf8(&bytes.ok()?).unwrap());
        }
    }

    pub(crate) async fn until(&mut self, event: &str) -> Frame {
        loop {
            let frame = self.next().await.expect("the stream goes on");
            if frame.event == event {
                return frame;
            }
        }
    }
}

pub(crate) async fn fill(s: &Stage, fans: usize) {
    for _ in 0..fans {
        s.fan().join().await;
    }
}

#[tokio::test]
async fn a_stream_begins_with_the_whole_document_and_tells_call_and_admission() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let mut frames = open(fan.get("events")).await;
    let first = frames.next().await.unwrap();
    assert_eq!((first.event.as_str(), &first.data["state"]), ("state", &json!("waiting")));
    assert_eq!(first.id.split('.').count(), 3);
    assert!(first.id.ends_with(".1"), "the position shown travels in the id: {}", first.id);
    s.step().await;
    assert_eq!(frames.until("called").await.data["state"], "called");
    loop {
        let (_, document) = fan.claim().await;
        if document["state"] == "admitted" {
            break;
        }
    }
    let admitted = frames.until("admitted").await;
    assert!(admitted.data["admission"]["token"].is_string());
}

#[tokio::test]
async fn claim_auto_is_admitted_without_a_click() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let mut frames = open(fan.get("events?claim=auto")).await;
    frames.next().await.unwrap();
    let stepping = async {
        loop {
            s.step().await;
            tokio::task::yield_now().await;
        }
    };
    let admitted = tokio::select! {
        frame = frames.until("admitted") => frame,
        () = stepping => unreachable!(),
    };
    assert!(admitted.data["admission"]["token"].is_string());
}

#[tokio::test]
async fn positions_fall_as_the_line_moves_and_never_rise_over_a_reconnect() {
    let s = stage(&[]).await;
    fill(&s, 5).await;
    let fan = s.fan();
    assert_eq!(fan.join().await.1["position"], 6);
    let mut frames = open(fan.get("events").header("Last-Event-ID", "1.7.4")).await;
    let first = frames.next().await.unwrap();
    assert_eq!(first.data["position"], 4, "what was shown caps what is shown next");
    let other_epoch = open(fan.get("events").header("Last-Event-ID", "9.7.4")).await.next().await.unwrap();
    assert_eq!(other_epoch.data["position"], 6, "another epoch's number says nothing");
    let one = admission::pace::Level { expected_claims: 3, reaction_us: 3_000_000, when_full: 1 };
    s.line.release(&s.drop, one).await.unwrap();
    let moved = frames.until("position").await;
    assert_eq!((&moved.data["position"], &moved.data["ahead"]), (&json!(3), &json!(2)));
}

#[tokio::test]
async fn pause_and_notice_reach_the_stream() {
    let s = stage(&[]).await;
    fill(&s, 3).await;
    let fan = s.fan();
    fan.join().await;
    let mut frames = open(fan.get("events")).await;
    frames.next().await.unwrap();
    s.pause("A minute, please.").await;
    let paused = frames.until("state").await;
    assert_eq!((&paused.data["state"], &paused.data["reason"]), (&json!("paused"), &json!("A minute, please.")));
    s.pause("Two minutes, sorry.").await;
    assert_eq!(frames.until("state").await.data["reason"], "Two minutes, sorry.", "another reason is told");
    let notice =
        Notice { id: "n1".into(), text: "Balcony is gone".into(), lang: "en".into(), at: Clock::system().now() };
    s.line.notify(&s.drop, &notice).await.unwrap();
    assert_eq!(frames.until("notice").await.data["text"], "Balcony is gone");
    s.resume().await;
    assert_eq!(frames.until("state").await.data["state"], "waiting");
}

#[tokio::test]
async fn a_lobby_fan_learns_of_the_draw() {
    let s = stage(&[("opens_at", "9000000000000000")]).await;
    let fan = s.fan();
    assert_eq!(fan.join().await.1["state"], "lobby");
    let mut frames = open(fan.get("events")).await;
    assert_eq!(frames.next().await.unwrap().data["state"], "lobby");
    s.order(Phase::Going, &[("opens_at", "9000000001000000")]).await;
    assert_eq!(frames.until("state").await.data["opens_at"], "2255-03-14T16:00:01Z", "an opening that moved is told");
    s.order(Phase::Going, &[("opens_at", "1000")]).await;
    let lobby = s.line.lobby(&s.drop, 10).await.unwrap();
    s.line.draw(&s.drop, &[(lobby[0], admission::ids::OrderKey(17))]).await.unwrap();
    loop {
        let frame = frames.until("state").await;
        if frame.data["state"] == "waiting" {
            assert_eq!((&frame.data["position"], &frame.data["order_key"]), (&json!(1), &json!(17)));
            break;
        }
    }
}

#[tokio::test]
async fn a_planned_end_says_when_to_return() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let mut frames = open(fan.get("events")).await;
    frames.next().await.unwrap();
    s.lifecycle.stop();
    assert!(frames.until("bye").await.data["retry_after_s"].is_u64());
    assert!(frames.next().await.is_none(), "the stream ends");
}

#[tokio::test]
async fn two_waitrooms_tell_the_same() {
    let s = stage(&[]).await;
    let other = s.another().await;
    let fan = s.fan();
    fan.join().await;
    let elsewhere = s.http.get(format!("{other}/queue/{}/events", DropId::parse("evening").unwrap()));
    let mut frames = open(elsewhere.header("Onsale-Visitor", &fan.visitor)).await;
    assert_eq!(frames.next().await.unwrap().data["state"], "waiting");
    s.step().await;
    assert_eq!(frames.until("called").await.data["state"], "called");
}

#[tokio::test]
async fn after_a_loss_of_redis_a_listening_fan_is_back_at_the_old_key_with_a_pass_that_says_so() {
    let s = stage(&[]).await;
    let (fan, away) = (s.fan(), s.fan());
    let (_, joined) = fan.join().await;
    let (_, pass_of_away) = away.join().await;
    let mut frames = open(fan.get("events")).await;
    frames.next().await.unwrap();
    s.lose_redis().await;
    let later = s.fan();
    s.restore(2, joined["order_key"].as_u64().unwrap() + 1_000).await;
    let (_, newcomer) = later.join().await;
    let back = loop {
        let frame = frames.until("state").await;
        if frame.id.starts_with("2.") {
            break frame;
        }
    };
    assert_eq!(back.data["order_key"], joined["order_key"]);
    assert!(newcomer["order_key"].as_u64() > joined["order_key"].as_u64());
    // a second loss: the pass of the second epoch brings the place back as well
    s.lose_redis().await;
    s.restore(3, newcomer["order_key"].as_u64().unwrap() + 1_000).await;
    let again = fan.post("join").header("Onsale-Pass", back.data["pass"].as_str().unwrap());
    assert_eq!(read(again).await.1["order_key"], joined["order_key"]);
    let again = away.post("join").header("Onsale-Pass", pass_of_away["pass"].as_str().unwrap());
    assert_eq!(read(again).await.1["order_key"], pass_of_away["order_key"], "two epochs away");
}

#[tokio::test]
async fn after_a_pause_who_is_inside_gets_a_token_that_lasts_as_long_as_the_session() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let before = fan.admit().await;
    let mut frames = open(fan.get("events")).await;
    frames.next().await.unwrap();
    s.pause("a minute").await;
    // the watcher must have seen the pause before it sees its end
    loop {
        let pulse = read(s.http.get(s.path("pulse"))).await.1;
        if pulse["state"] == "paused" {
            break;
        }
    }
    s.resume().await;
    let after = frames.until("admitted").await;
    let end = |document: &Value| document["admission"]["expires_at"].as_str().unwrap().to_owned();
    assert!(end(&after.data) > end(&before), "{} {}", end(&after.data), end(&before));
    assert_eq!(after.data["admission"]["admitted_at"], before["admission"]["admitted_at"], "the same admission");
}

#[tokio::test]
async fn after_a_pause_who_is_called_is_told_the_deadline_that_moved_on() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let mut frames = open(fan.get("events")).await;
    frames.next().await.unwrap();
    s.step().await;
    let called = frames.until("called").await.data;
    s.pause("a minute").await;
    let paused = frames.until("state").await.data;
    assert_eq!(
        (&paused["state"], &paused["called"], &paused["position"]),
        (&json!("paused"), &json!(true), &json!(null))
    );
    s.resume().await;
    let resumed = loop {
        let frame = frames.next().await.unwrap();
        if frame.data["state"] == "called" {
            break frame.data;
        }
    };
    let deadline = |document: &Value| document["claim_deadline"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(deadline(&resumed) > deadline(&called), "{resumed} {called}");
}

#[tokio::test]
async fn another_rate_is_told_as_another_estimate() {
    let s = stage(&[]).await;
    fill(&s, 2).await;
    let fan = s.fan();
    fan.join().await;
    let mut frames = open(fan.get("events")).await;
    frames.next().await.unwrap();
    s.order(Phase::Going, &[("rate", "1")]).await;
    let told = frames.until("position").await.data;
    assert_eq!((&told["position"], &told["ahead"]), (&json!(3), &json!(2)), "{told}");
    assert!(told["estimate"]["p90_s"].as_u64() >= Some(120), "two fans at one a minute: {told}");
}

#[tokio::test]
async fn a_place_has_its_share_of_streams_and_the_next_is_told_to_come_back() {
    let s = stage(&[]).await;
    let fan = s.fan();
    fan.join().await;
    let mut open_ones = Vec::new();
    for _ in 0..8 {
        let mut frames = open(fan.get("events")).await;
        assert_eq!(frames.next().await.unwrap().event, "state");
        open_ones.push(frames);
    }
    let mut ninth = open(fan.get("events")).await;
    let bye = ninth.next().await.unwrap();
    assert_eq!((bye.event.as_str(), &bye.data["reason"]), ("bye", &json!("place")));
}
