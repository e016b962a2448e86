//! The loop turned by hand, over bodies: no clock, no Redis, no sockets.

use admission::{
    ids::{OrderKey, VisitorSecret},
    line::{DropState, Held, PlaceState},
    pass::Passes,
    token::Signer,
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{slices::SLICE_WRITES, *};
use crate::{
    Settings,
    crowd::{Crowd, Tick},
    fan::Fan,
    hub::{
        News,
        inbox::{Arrival, Looked},
        looks::Ask,
        room::Room,
        sink::{Frames, Sink},
        stream::Stream,
    },
};
use admission::ids::Place;

struct Bench {
    engine: Engine,
    urgent: UnboundedReceiver<(DropId, Vec<Ask>)>,
    calm: UnboundedReceiver<(DropId, Vec<Ask>)>,
    claims: UnboundedReceiver<(DropId, Ask)>,
    room: Room,
}

fn evening() -> DropId {
    DropId::parse("evening").unwrap()
}

/// The key of everybody here.
const KEY: OrderKey = OrderKey(5);

/// One at which everybody here has `waiting` before them.
fn tick_of(number: u64, drop: DropState, waiting: u64) -> Tick {
    Tick::of_waiting(number, drop, waiting, KEY)
}

fn running(now: u64) -> DropState {
    DropState { epoch: 1, now, opens_at: Some(1), rate_per_minute: 600, claim_window_s: 60, ..DropState::default() }
}

fn paused(now: u64, reason: &str) -> DropState {
    DropState { paused_at: Some(1), pause_reason: reason.to_owned(), ..running(now) }
}

impl Bench {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let inbox = Arc::new(Inbox::new(mio::Waker::new(poll.registry(), WAKER).unwrap()));
        let ((urgent, heard), (calm, heard_calm), (claims, heard_claims)) =
            (unbounded_channel(), unbounded_channel(), unbounded_channel());
        let keyring = shared::testing::keyring();
        let (passes, signer) = (Passes::new(&keyring), Signer::new(&keyring, "https://tickets.example").unwrap());
        let looks = Looks { urgent, calm, claims };
        let engine = Engine::new(poll, inbox, looks, Renderer { passes, signer }, Duration::from_secs(20));
        let room = Room::new(&Settings::default());
        Self { engine, urgent: heard, calm: heard_calm, claims: heard_claims, room }
    }

    /// A stream of a new fan who waits, with the first document read.
    fn open(&mut self, crowd: &Arc<Crowd>) -> Frames {
        self.open_with(crowd, false)
    }

    fn open_with(&mut self, crowd: &Arc<Crowd>, auto_claim: bool) -> Frames {
        let visitor = VisitorSecret::generate();
        let own = Place::of(&evening(), 0, &visitor);
        let fan = Fan::new(evening(), visitor, own, Held { place: own, generation: 0, mail: false });
        let (tick, mut frame) = (crowd.tick(), Frame::default());
        let place = PlaceState::Waiting { key: KEY, rank: tick.counts.waiting };
        let renderer = self.engine.renderer.clone();
        let stream =
            Stream::begin(&fan, (&tick.drop, place), &tick, (None, auto_claim), &renderer, &mut frame).unwrap();
        let inbox = self.engine.inbox.clone();
        let (sink, mut frames): (Sink, Frames) = Frames::new(bytes::Bytes::from_static(b"first"), inbox);
        let seat = self.room.seat("127.0.0.1".parse().unwrap()).ok().unwrap();
        let arrival = Arrival { drop: evening(), crowd: crowd.clone(), sink, seat, stream };
        self.engine.once(&mut vec![Message::Arrived(Box::new(arrival))]);
        assert_eq!(said(&mut frames), ["first"]);
        frames
    }

    fn tell(&mut self, tick: Tick) {
        let news = News { drop: evening(), tick: Some(Arc::new(tick)), places: Vec::new(), all: false };
        self.engine.once(&mut vec![Message::News(Box::new(news))]);
    }

    /// What lies in the inbox.
    fn hear(&mut self) {
        let mut messages = Vec::new();
        self.engine.inbox.take(&mut messages);
        self.engine.once(&mut messages);
    }
}

/// All that a body has to say now.
fn said(frames: &mut Frames) -> Vec<String> {
    let next = |frames: &mut Frames| frames.next().now_or_never().flatten();
    let mut said = Vec::new();
    while let Some(Ok(bytes)) = next(frames) {
        said.push(String::from_utf8(bytes.to_vec()).unwrap());
    }
    said
}

#[test]
fn who_is_called_is_told_before_everybody_has_heard_the_news() {
    const FANS: usize = 300;
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 400));
    let mut streams: Vec<Frames> = (0..FANS).map(|_| bench.open(&crowd)).collect();
    // would be swept last: the sweep goes from the end
    let called_one = bench.calm.try_recv().unwrap().1.remove(0);
    let news = News {
        drop: evening(),
        tick: Some(Arc::new(tick_of(2, paused(2_000, "a minute"), 400))),
        places: Vec::new(),
        all: false,
    };
    bench.engine.once(&mut vec![Message::News(Box::new(news))]);
    let heard = |streams: &mut Vec<Frames>| {
        streams[1..].iter_mut().map(|stream| usize::from(!said(stream).is_empty())).sum::<usize>()
    };
    let mut told = heard(&mut streams);
    assert_eq!(told, SLICE_WRITES, "a slice");
    let called = PlaceState::Called { key: KEY, deadline: 70_000_000 };
    let looked = Looked {
        drop: evening(),
        state: paused(2_001, "a minute"),
        answers: vec![(called_one.asked, called_one.held, called)],
    };
    bench.engine.once(&mut vec![Message::Looked(Box::new(looked))]);
    let first = said(&mut streams[0]);
    assert!(first[0].starts_with("event: called"), "{first:?}");
    told += heard(&mut streams);
    assert_eq!(told, 2 * SLICE_WRITES, "most have not heard yet");
    while bench.engine.audiences[0].sweep > 0 {
        bench.engine.once(&mut Vec::new());
        told += heard(&mut streams);
    }
    assert_eq!(told, FANS - 1, "and in the end all have");
}

#[test]
fn who_is_called_is_told_before_all_who_are_due_have_heard() {
    const FANS: usize = 300;
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 400));
    let mut streams: Vec<Frames> = (0..FANS).map(|_| bench.open(&crowd)).collect();
    let called_one = bench.calm.try_recv().unwrap().1.remove(0);
    bench.tell(tick_of(2, running(2_000), 300));
    let heard = |streams: &mut [Frames]| streams.iter_mut().map(|stream| said(stream).len()).sum::<usize>();
    assert_eq!(heard(&mut streams), 0, "nobody is due");
    bench.engine.now += 20; // a second in which the thread was not let run: all are
    bench.engine.once(&mut Vec::new());
    assert_eq!(heard(&mut streams), SLICE_WRITES, "a slice");
    let called = PlaceState::Called { key: OrderKey(5), deadline: 70_000_000 };
    bench.engine.once(&mut vec![answer(&called_one, running(2_001), called)]);
    let first = said(&mut streams[0]);
    assert!(first[0].starts_with("event: called"), "{first:?}");
    assert_eq!(heard(&mut streams), SLICE_WRITES, "most have not heard yet");
    while !bench.engine.due.is_empty() {
        bench.engine.once(&mut Vec::new());
        assert!(heard(&mut streams) <= SLICE_WRITES);
    }
}

#[test]
fn who_is_called_is_told_before_all_have_heard_of_the_stop() {
    const FANS: usize = 300;
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 400));
    let mut streams: Vec<Frames> = (0..FANS).map(|_| bench.open(&crowd)).collect();
    // would hear last: the last to come are the first to be told
    let called_one = bench.calm.try_recv().unwrap().1.remove(0);
    let heard = |streams: &mut [Frames]| {
        let bye = |stream| said(stream).iter().any(|frame| frame.starts_with("event: bye"));
        streams.iter_mut().filter_map(|stream| bye(stream).then_some(())).count()
    };
    bench.engine.once(&mut vec![Message::Stop]);
    let mut told = heard(&mut streams);
    assert_eq!(told, SLICE_WRITES, "a slice");
    let called = PlaceState::Called { key: OrderKey(5), deadline: 70_000_000 };
    bench.engine.once(&mut vec![answer(&called_one, running(1_001), called)]);
    let first = said(&mut streams[0]);
    assert!(first.len() == 1 && first[0].starts_with("event: called"), "{first:?}");
    while !bench.engine.is_over() {
        told += heard(&mut streams);
        bench.engine.once(&mut Vec::new());
    }
    assert_eq!(told + heard(&mut streams), FANS, "and in the end all have");
}

#[test]
fn a_stream_that_takes_nothing_goes_when_its_time_is_over_however_seldom_it_is_looked_at() {
    for stall in [1, 15].map(Duration::from_secs) {
        let mut bench = Bench::new();
        bench.engine.stall_max = stall;
        let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 50_000));
        let streams: Vec<Frames> = (0..20).map(|_| bench.open(&crowd)).collect();
        for number in 2..8 {
            let reason = format!("reason {number}.");
            bench.tell(tick_of(number, paused(1_000 * number, &reason), 50_000));
        }
        let mut lasted = Duration::ZERO;
        while lasted + SLOT < stall {
            bench.engine.now += 1;
            bench.engine.once(&mut Vec::new());
            lasted += SLOT;
        }
        assert_eq!(bench.engine.entries.len(), streams.len(), "none before {stall:?}");
        bench.engine.now += 2;
        bench.engine.once(&mut Vec::new());
        assert_eq!(bench.engine.entries.len(), 0, "all after {stall:?}");
    }
}

#[test]
fn a_body_that_is_read_at_once_wakes_nobody() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let mut stream = bench.open(&crowd);
    bench.tell(tick_of(2, paused(2_000, "a minute"), 10));
    assert_eq!(said(&mut stream).len(), 1);
    let mut messages = Vec::new();
    bench.engine.inbox.take(&mut messages);
    assert!(messages.is_empty(), "it had room all the time");
}

#[test]
fn a_body_that_is_not_read_hears_the_newest_when_it_is() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let mut stream = bench.open(&crowd);
    for number in 2..50 {
        bench.tell(tick_of(number, paused(1_000 * number, &format!("reason {number}.")), 10));
    }
    let before = said(&mut stream);
    assert_eq!(before.len(), 4, "as many as the channel has room for");
    bench.hear();
    let after = said(&mut stream);
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(after[0].contains("reason 49."), "{after:?}");
}

#[test]
fn positions_come_every_second_near_the_front_and_less_often_far_back() {
    for (waiting, expected) in [(100, 28..=31), (5_000, 5..=7), (50_000, 2..=4)] {
        let mut bench = Bench::new();
        let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), waiting));
        let mut stream = bench.open(&crowd);
        let (mut positions, mut silent, mut longest) = (0, 0, 0);
        for second in 1..=30 {
            bench.tell(tick_of(second + 1, running(1_000_000 * second), waiting - second));
            for _ in 0..20 {
                bench.engine.now += 1;
                bench.engine.once(&mut Vec::new());
                let frames = said(&mut stream);
                silent = if frames.is_empty() { silent + 1 } else { 0 };
                longest = longest.max(silent);
                positions += frames.iter().filter(|frame| frame.starts_with("event: position")).count();
            }
        }
        assert!(expected.contains(&positions), "{positions} with {waiting} ahead");
        assert!(SLOT * longest <= Duration::from_secs(10), "silent for {longest} slots");
    }
}

#[test]
fn another_rate_is_told_to_all_within_two_seconds_but_not_at_once() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 20_000));
    let mut streams: Vec<Frames> = (0..100).map(|_| bench.open(&crowd)).collect();
    let faster = DropState { rate_per_minute: 6_000, ..running(2_000) };
    bench.tell(tick_of(2, faster, 20_000));
    let mut busiest = 0;
    let mut told = 0;
    for _ in 0..=40 {
        bench.engine.now += 1;
        bench.engine.once(&mut Vec::new());
        let heard = |stream: &mut Frames| said(stream).iter().any(|frame| frame.contains("event: position"));
        let now = streams.iter_mut().filter_map(|stream| heard(stream).then_some(())).count();
        busiest = busiest.max(now);
        told += now;
    }
    assert_eq!(told, 100);
    assert!(busiest < 30, "{busiest} in one slot");
}

#[test]
fn another_epoch_is_no_word_before_a_look_and_no_document_of_both() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let mut stream = bench.open(&crowd);
    let arrived = bench.calm.try_recv().unwrap().1.remove(0);
    let held = arrived.held;
    let place = PlaceState::Waiting { key: KEY, rank: 9 };
    let looked = |state: DropState, asked, place| {
        Message::Looked(Box::new(Looked { drop: evening(), state, answers: vec![(asked, held, place)] }))
    };
    bench.engine.once(&mut vec![looked(running(1_001), arrived.asked, place)]);
    assert!(said(&mut stream).is_empty(), "nothing happened between the first document and the first look");
    let second = DropState { epoch: 2, ..paused(5_000, "restored") };
    bench.tell(tick_of(2, second.clone(), 3));
    assert!(said(&mut stream).is_empty());
    let ask = bench.calm.try_recv().unwrap().1.remove(0);
    assert_eq!(ask.receipt.unwrap().epoch, 1, "it says where the place was");
    bench.engine.once(&mut vec![looked(second, ask.asked, place)]);
    let told = said(&mut stream);
    assert!(told[0].starts_with("event: state\nid: 2.2."), "{told:?}");
}

#[test]
fn a_look_that_failed_is_asked_again_at_the_next_tick() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let _stream = bench.open(&crowd);
    let ask = bench.calm.try_recv().unwrap().1.remove(0);
    bench.engine.once(&mut vec![Message::Unanswered(vec![ask.asked])]);
    assert!(bench.urgent.try_recv().is_err() && bench.calm.try_recv().is_err());
    bench.tell(tick_of(2, running(2_000), 10));
    assert_eq!(bench.calm.try_recv().unwrap().1[0].asked.stream, ask.asked.stream);
}

#[test]
fn streams_that_come_and_go_leave_nothing_behind() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let mut streams: Vec<Frames> = (0..50).map(|_| bench.open(&crowd)).collect();
    for _ in 0..20 {
        drop(streams.swap_remove(streams.len() / 2));
        bench.hear();
        streams.push(bench.open(&crowd)); // its number was another's
    }
    streams.clear();
    bench.hear();
    assert_eq!((bench.engine.entries.len(), bench.engine.audiences[0].members.len()), (0, 0));
    assert!(bench.room.is_empty());
}

/// What became of the place that was asked for.
fn answer(ask: &Ask, state: DropState, place: PlaceState) -> Message {
    Message::Looked(Box::new(Looked { drop: evening(), state, answers: vec![(ask.asked, ask.held, place)] }))
}

#[test]
fn an_urgent_look_does_not_wait_for_the_calm_one_of_everybody() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let mut stream = bench.open(&crowd);
    let arrived = bench.calm.try_recv().unwrap().1.remove(0);
    bench.engine.once(&mut vec![answer(&arrived, running(1_001), PlaceState::Drawing)]);
    assert_eq!(said(&mut stream).len(), 1);
    let news = |places, all| Message::News(Box::new(News { drop: evening(), tick: None, places, all }));
    bench.engine.once(&mut vec![news(Vec::new(), true)]);
    let calm = bench.calm.try_recv().unwrap().1.remove(0);
    bench.engine.once(&mut vec![news(vec![calm.held.place], false)]);
    let urgent = bench.urgent.try_recv().expect("asked for at once").1.remove(0);
    let called = PlaceState::Called { key: KEY, deadline: 70_000_000 };
    bench.engine.once(&mut vec![answer(&urgent, running(1_003), called)]);
    assert!(said(&mut stream)[0].starts_with("event: called"));
    bench.engine.once(&mut vec![answer(&calm, running(1_002), PlaceState::Waiting { key: KEY, rank: 0 })]);
    assert!(said(&mut stream).is_empty(), "what was seen before it counts no longer");
}

#[test]
fn an_automatic_claim_that_changes_nothing_is_not_tried_again_and_none_of_an_ended_drop() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let _stream = bench.open_with(&crowd, true);
    let called = PlaceState::Called { key: KEY, deadline: 70_000_000 };
    let arrived = bench.calm.try_recv().unwrap().1.remove(0);
    bench.engine.once(&mut vec![answer(&arrived, running(1_001), called)]);
    let claim = bench.claims.try_recv().expect("claimed").1;
    bench.engine.once(&mut vec![answer(&claim, running(1_002), called)]);
    assert!(bench.claims.try_recv().is_err(), "the same again brings the same");
    let ended = DropState { ended: true, ..running(2_000) };
    let changed =
        Message::News(Box::new(News { drop: evening(), tick: None, places: vec![claim.held.place], all: false }));
    bench.engine.once(&mut vec![changed]);
    let look = bench.urgent.try_recv().unwrap().1.remove(0);
    bench.engine.once(&mut vec![answer(&look, ended, PlaceState::Lapsed { key: KEY, deadline: 70_000_000 })]);
    assert!(bench.claims.try_recv().is_err(), "there is nothing to claim any more");
}

#[test]
fn the_end_of_a_pause_is_looked_at_at_once_and_once_only() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let _stream = bench.open(&crowd);
    let called = PlaceState::Called { key: OrderKey(5), deadline: 70_000_000 };
    let arrived = bench.calm.try_recv().unwrap().1.remove(0);
    bench.engine.once(&mut vec![answer(&arrived, running(1_001), called)]);
    bench.tell(tick_of(2, paused(2_000, "a minute"), 10));
    assert!(bench.urgent.try_recv().is_err(), "deadlines wait");
    bench.tell(tick_of(3, running(3_000), 10));
    let look = bench.urgent.try_recv().expect("asked for at once").1.remove(0);
    bench.engine.once(&mut vec![answer(&look, running(3_001), called)]);
    bench.tell(tick_of(4, DropState { title: "Ada live".to_owned(), ..running(4_000) }, 10));
    assert!(bench.urgent.try_recv().is_err(), "another change is no end of a pause");
}

#[test]
fn a_stream_whose_place_was_moved_away_listens_for_it_no_longer() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let mut stream = bench.open(&crowd);
    let arrived = bench.calm.try_recv().unwrap().1.remove(0);
    bench.engine.once(&mut vec![answer(&arrived, running(1_001), PlaceState::Moved)]);
    assert!(said(&mut stream)[0].contains("\"reason\":\"moved\""));
    assert!(bench.engine.entries.of_place(&arrived.held.place).is_empty());
    drop(stream);
    bench.hear();
    assert!(bench.room.is_empty() && bench.engine.entries.len() == 0);
}

#[test]
fn what_goes_with_a_position_is_told_anew_though_the_position_stands() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 10));
    let mut stream = bench.open(&crowd);
    let mut told = Vec::new();
    for second in 1..=3 {
        let mut tick = tick_of(second + 1, running(1_000_000 * second), 10);
        (tick.counts.capacity, tick.counts.sold) = (100, 40 + second.min(2));
        bench.tell(tick);
        for _ in 0..20 {
            bench.engine.now += 1;
            bench.engine.once(&mut Vec::new());
            told.append(&mut said(&mut stream));
        }
    }
    let told: Vec<_> = told.iter().filter(|frame| frame.starts_with("event: position")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains("\"left\":58"), "{told:?}");
}

#[test]
fn who_was_called_before_the_tick_and_has_not_heard_yet_is_told_no_position() {
    let mut bench = Bench::new();
    let crowd = Crowd::of_tick(&evening(), tick_of(1, running(1_000), 1));
    let mut stream = bench.open(&crowd);
    let arrived = bench.calm.try_recv().unwrap().1.remove(0);
    bench.engine.once(&mut vec![answer(&arrived, running(1_001), PlaceState::Waiting { key: KEY, rank: 1 })]);
    // the tick's look saw the one behind in front; what happened to the place comes with the next
    bench.tell(Tick::of_waiting(2, running(1_000_000), 0, OrderKey(KEY.0 + 1)));
    for _ in 0..20 {
        bench.engine.now += 1;
        bench.engine.once(&mut Vec::new());
    }
    assert!(said(&mut stream).is_empty(), "nobody who was called is the next");
    let news = News { drop: evening(), tick: None, places: vec![arrived.held.place], all: false };
    bench.engine.once(&mut vec![Message::News(Box::new(news))]);
    let look = bench.urgent.try_recv().unwrap().1.remove(0);
    let called = PlaceState::Called { key: KEY, deadline: 70_000_000 };
    bench.engine.once(&mut vec![answer(&look, running(1_000_050), called)]);
    assert!(said(&mut stream)[0].starts_with("event: called"));
}
