//! The operators' console, as a browser without scripts uses it.

use admission::{
    audit::{self, Entry},
    drops::{self, NewDrop, State},
    ids::DropId,
    line::{Line, Outcomes, Stock},
    operators,
    password::Passwords,
};
use jiff::Timestamp;
use reqwest::{Client, Response, StatusCode, header, redirect};
use shared::{
    clock::Clock,
    lifecycle::Lifecycle,
    testing::{World, keyring, world},
};

use crate::api::{event, serve_role};

const EMAIL: &str = "ops@example.org";
const PASSWORD: &str = "correct horse";
const COOKIE: &str = "__Host-onsale-operator";

/// A console, an operator with a browser, and one drop nobody opened yet.
struct Desk {
    world: World,
    url: String,
    http: Client,
    /// As the browser would send it.
    cookie: String,
    drop: DropId,
    lifecycle: Lifecycle,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

async fn desk() -> Desk {
    let mut desk = empty_desk().await;
    let new = NewDrop {
        id: desk.drop.clone(),
        events: vec![event(&desk.world.pool).await],
        settings: drops::Settings::at_rate(1_200),
    };
    drops::create(&desk.world.pool, &Line::new(desk.world.redis.clone()), &new, "cli").await.unwrap();
    let answer = desk.sign_in(PASSWORD, "").await;
    desk.cookie = set_cookie(&answer).split(';').next().unwrap().to_owned();
    desk
}

/// Nobody is signed in, there is no drop.
async fn empty_desk() -> Desk {
    let world = world().await;
    let lifecycle = Lifecycle::new();
    let url = serve_role(&world, &lifecycle).await;
    operators::add(&world.pool, &Passwords::new(&keyring()), EMAIL, PASSWORD.to_owned().into()).await.unwrap();
    let http = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    Desk { world, url, http, cookie: String::new(), drop: DropId::parse("an-evening").unwrap(), lifecycle }
}

fn set_cookie(answer: &Response) -> String {
    answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned()
}

fn location(answer: &Response) -> &str {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()[header::LOCATION].to_str().unwrap()
}

impl Desk {
    async fn get(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{path}", self.url)).header(header::ACCEPT, "text/html");
        request.header(header::COOKIE, &self.cookie).send().await.unwrap()
    }

    async fn read(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    async fn post_from(&self, origin: &str, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.http.post(format!("{}{path}", self.url)).header(header::ORIGIN, origin);
        request.header(header::COOKIE, &self.cookie).form(form).send().await.unwrap()
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.post_from(&self.url, path, form).await
    }

    async fn sign_in(&self, password: &str, next: &str) -> Response {
        self.post("/ops/sign-in", &[("email", "Ops@example.org"), ("password", password), ("next", next)]).await
    }

    fn page(&self) -> String {
        format!("/ops/drops/{}", self.drop)
    }

    /// Sends a form of the console, follows its redirect, and gives the page that says what was done.
    async fn steer(&self, form: &[(&str, &str)]) -> String {
        let answer = self.post(&self.page(), form).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{form:?}: {}", answer.text().await.unwrap());
        self.read(location(&answer)).await
    }

    /// A form that is refused: the page says why.
    async fn refused(&self, form: &[(&str, &str)]) -> (u16, String) {
        let answer = self.post(&self.page(), form).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn stored(&self) -> drops::Drop {
        drops::show(&self.world.pool, &self.drop).await.unwrap()
    }

    async fn newest(&self) -> Entry {
        audit::list(&self.world.pool, Some(self.drop.as_str()), None, 1).await.unwrap().remove(0)
    }

    async fn assert_recorded(&self, action: &str) {
        let entry = self.newest().await;
        assert_eq!((entry.actor.as_str(), entry.action.as_str()), ("operator:ops@example.org", action));
    }
}

#[tokio::test]
async fn signing_in_gives_a_strict_cookie_and_leads_back() {
    let desk = empty_desk().await;
    let answer = desk.sign_in(PASSWORD, "/ops/drops/an-evening").await;
    assert_eq!(location(&answer), "/ops/drops/an-evening");
    let cookie = set_cookie(&answer);
    assert!(cookie.starts_with(&format!("{COOKIE}=")), "{cookie}");
    for part in ["Max-Age=43200", "Path=/", "HttpOnly", "SameSite=Strict", "Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(location(&desk.sign_in(PASSWORD, "https://evil.example/ops/").await), "/ops");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_the_address_kept() {
    let desk = empty_desk().await;
    let answer = desk.sign_in("wrong horse", "/ops/audit").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(!answer.headers().contains_key(header::SET_COOKIE));
    let page = answer.text().await.unwrap();
    assert!(page.contains("do not match") && page.contains("Ops@example.org") && page.contains("/ops/audit"), "{page}");
    assert!(!page.contains("wrong horse"));
}

#[tokio::test]
async fn guesses_at_the_page_and_at_the_api_count_together() {
    let desk = empty_desk().await;
    let api = format!("{}/ops/api/sessions", desk.url);
    let guess = serde_json::json!({ "email": EMAIL, "password": "a wrong guess" });
    for _ in 0..5 {
        assert_eq!(desk.http.post(&api).json(&guess).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(desk.sign_in("a wrong guess", "").await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in_and_back() {
    let desk = empty_desk().await;
    for path in ["/ops/drops/an-evening", "/ops/audit"] {
        assert_eq!(location(&desk.get(path).await), format!("/ops?next={path}"));
    }
    let unsent = desk.post("/ops/drops/an-evening", &[("do", "end"), ("confirm", "an-evening")]).await;
    assert_eq!(location(&unsent), "/ops?next=/ops/drops/an-evening");
    let form = desk.read("/ops?next=/ops/audit").await;
    assert!(form.contains(r#"name="next" value="/ops/audit""#), "{form}");
}

#[tokio::test]
async fn the_cookie_opens_the_api_and_a_header_beats_it() {
    let desk = desk().await;
    let live = format!("{}/ops/api/drops/an-evening/live", desk.url);
    let request = || desk.http.get(&live).header(header::COOKIE, &desk.cookie);
    let mut stream = request().send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let mut frames = String::new();
    while !frames.contains("\"waiting\":0") {
        frames.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(frames.contains("retry: 1000") && frames.contains("event: live"), "{frames}");
    assert_eq!(request().bearer_auth("forged").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signing_out_ends_the_session_wherever_its_cookie_is() {
    let desk = desk().await;
    let answer = desk.post("/ops/sign-out", &[]).await;
    assert_eq!(location(&answer), "/ops");
    assert!(set_cookie(&answer).contains("Max-Age=0"));
    assert_eq!(location(&desk.get(&desk.page()).await), "/ops?next=/ops/drops/an-evening");
    let api = desk.get("/ops/api/drops").await;
    assert_eq!(api.status(), StatusCode::UNAUTHORIZED);
    assert!(desk.read("/ops").await.contains("Your session is over"));
}

#[tokio::test]
async fn another_site_cannot_send_the_forms() {
    let desk = desk().await;
    for (path, form) in [
        (desk.page(), &[("do", "end"), ("confirm", "an-evening")][..]),
        (format!("{}/logo", desk.page()), &[]),
        ("/ops/sign-out".to_owned(), &[]),
        ("/ops/sign-in".to_owned(), &[("email", EMAIL), ("password", PASSWORD)]),
    ] {
        let answer = desk.post_from("https://evil.example", &path, form).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(desk.stored().await.state, State::Scheduled);
    desk.read(&desk.page()).await; // still signed in
}

#[tokio::test]
async fn every_form_changes_the_drop_says_so_and_is_on_record() {
    let desk = desk().await;
    let page = desk.steer(&[("do", "open")]).await;
    assert!(page.contains("It is open. Fans are let in at 1,200 a minute."), "{page}");
    assert_eq!(desk.stored().await.state, State::Running);
    desk.assert_recorded("drop.open").await;

    let page = desk.steer(&[("do", "rate"), ("from", "1200"), ("rate", "2,000")]).await;
    assert!(page.contains("The rate is 2,000 a minute now.") && page.contains("Back to 1,200 a minute"), "{page}");
    assert_eq!(desk.stored().await.settings.rate_per_minute, 2_000);
    desk.assert_recorded("drop.set").await;

    let chosen = [("do", "pause"), ("reason", "Payments are slow."), ("words", " ")];
    assert!(desk.steer(&chosen).await.contains("It is paused."));
    assert_eq!(desk.stored().await.pause_reason.as_deref(), Some("Payments are slow."));
    desk.assert_recorded("drop.pause").await;

    let page = desk.steer(&[("do", "resume")]).await;
    assert!(page.contains("It goes on, at 2,000 a minute.") && page.contains(">Pause</button>"), "{page}");
    assert_eq!(desk.stored().await.state, State::Running);
    desk.assert_recorded("drop.resume").await;

    let own = [("do", "pause"), ("reason", "Payments are slow."), ("words", "A fire alarm. All is well.")];
    desk.steer(&own).await;
    assert_eq!(desk.stored().await.pause_reason.as_deref(), Some("A fire alarm. All is well."));

    let page = desk.steer(&[("do", "notice"), ("text", "The balcony is nearly gone"), ("lang", "en")]).await;
    assert!(page.contains("Fans read your notice now.") && page.contains("The balcony is nearly gone"), "{page}");
    desk.assert_recorded("drop.notice").await;

    let page = desk.steer(&[("do", "withdraw")]).await;
    assert!(page.contains("The notice is taken back.") && !page.contains("Fans read this since"), "{page}");
    desk.assert_recorded("drop.notice_withdrawn").await;

    let page = desk.steer(&[("do", "brand"), ("brand_name", "The Hall"), ("accent", "#00695A")]).await;
    assert!(page.contains("Fans see the brand now.") && page.contains(r##"fill="#00695a""##), "{page}");
    desk.assert_recorded("drop.set").await;
    let same = [("do", "brand"), ("brand_name", " The Hall"), ("accent", "#00695a")];
    assert!(desk.steer(&same).await.contains("nothing was changed"));

    let seen = desk.stored().await.version.to_string();
    let page = desk.steer(&settings(&seen, "500")).await;
    assert!(page.contains("The settings are saved."), "{page}");
    assert_eq!(desk.stored().await.settings.max_active, 500);
    let detail = desk.newest().await.detail;
    assert_eq!(detail, serde_json::json!({ "max_active": 500 }), "only what differs is changed");

    let page = desk.steer(&[("do", "end"), ("confirm", "An-Evening ")]).await;
    assert!(page.contains("It has ended.") && !page.contains("<button class=\"button danger"), "{page}");
    assert_eq!(desk.stored().await.state, State::Ended);
    desk.assert_recorded("drop.end").await;

    let record = desk.read("/ops/audit").await;
    for words in [
        "ended it",
        "took the notice back",
        "brand “The Hall”, colour “#00695a”",
        "at most 500 inside",
        "paused it: “Payments are slow.”",
        "rate 2,000 a minute",
        "command line",
    ] {
        assert!(record.contains(words), "{words}: {record}");
    }
}

fn settings<'a>(seen: &'a str, max_active: &'a str) -> [(&'a str, &'a str); 9] {
    [
        ("do", "settings"),
        ("seen", seen),
        ("title", "An evening"),
        ("max_active", max_active),
        ("claim_window_s", "120"),
        ("grace_s", "600"),
        ("session_s", "900"),
        ("max_per_fan", "8"),
        ("join_requires", "none"),
    ]
}

#[tokio::test]
async fn a_drop_is_not_ended_without_the_second_look() {
    let desk = desk().await;
    for typed in ["", "an-evenin", "yes"] {
        let (status, page) = desk.refused(&[("do", "end"), ("confirm", typed)]).await;
        assert_eq!(status, 422);
        assert!(page.contains("Nothing was ended"), "{page}");
    }
    assert_eq!(desk.stored().await.state, State::Scheduled);
}

type Form<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn what_is_refused_says_why_and_keeps_what_was_typed() {
    let desk = desk().await;
    let refusals: [(Form<'_>, u16, &str, &str); 7] = [
        (&[("do", "brand"), ("brand_name", "Hall"), ("accent", "teal")], 422, "six digits", r#"value="teal""#),
        (&[("do", "rate"), ("from", "1200"), ("rate", "lots")], 422, "a whole number", r#"value="lots""#),
        (&[("do", "rate"), ("from", "1200"), ("rate", "0")], 422, "between 1 and 6,000,000", r#"value="0""#),
        (&[("do", "rate"), ("from", "600"), ("rate", "900")], 409, "Somebody set it to 1,200", r#"value="900""#),
        (&[("do", "notice"), ("text", "Hello"), ("lang", "!")], 422, "a short code", ">Hello</textarea>"),
        (&settings("0", "77"), 409, "Somebody changed the drop", r#"value="77""#),
        (&[("do", "dance")], 422, "does not know this form", "an-evening"),
    ];
    for (form, expected, why, kept) in refusals {
        let (status, page) = desk.refused(form).await;
        assert_eq!(status, expected, "{form:?}");
        assert!(page.contains(why) && page.contains(kept), "{form:?}: {page}");
    }
    assert_eq!(desk.stored().await.version, 1, "nothing was changed");

    desk.steer(&[("do", "open")]).await;
    let (status, page) = desk.refused(&[("do", "pause"), ("reason", " ")]).await;
    assert!(status == 422 && page.contains("what fans should read"), "{page}");
    desk.steer(&[("do", "end"), ("confirm", "an-evening")]).await;
    let (status, page) = desk.refused(&[("do", "resume")]).await;
    assert!(status == 409 && page.contains("The drop has ended."), "{page}");
}

#[tokio::test]
async fn of_two_rates_for_the_same_look_one_is_set_and_pausing_is_never_refused() {
    let desk = desk().await;
    let path = desk.page();
    for _ in 0..5 {
        let from = desk.stored().await.settings.rate_per_minute;
        let (higher, lower) = (from + 300, from + 200);
        let (from, higher, lower) = (from.to_string(), higher.to_string(), lower.to_string());
        let forms = [&higher, &lower].map(|rate| [("do", "rate"), ("from", from.as_str()), ("rate", rate.as_str())]);
        let (one, other) = tokio::join!(desk.post(&path, &forms[0]), desk.post(&path, &forms[1]));
        let mut answers = [one.status(), other.status()];
        answers.sort_unstable();
        assert_eq!(answers, [StatusCode::SEE_OTHER, StatusCode::CONFLICT]);
    }
    desk.steer(&[("do", "open")]).await;
    for _ in 0..5 {
        let pause = [("do", "pause"), ("words", "A moment, please")];
        let (one, other, resume) =
            tokio::join!(desk.post(&path, &pause), desk.post(&path, &pause), desk.post(&path, &[("do", "resume")]));
        assert_eq!([one, other, resume].map(|answer| answer.status()), [StatusCode::SEE_OTHER; 3]);
    }
}

#[tokio::test]
async fn a_change_meant_for_another_version_is_refused() {
    let desk = desk().await;
    let line = Line::new(desk.world.redis.clone());
    let seen = desk.stored().await.version;
    let rate = |rate| drops::Changes { rate_per_minute: Some(rate), ..drops::Changes::default() };
    let change = async |changes: &drops::Changes| {
        drops::change_seen(&desk.world.pool, &line, &desk.drop, seen, changes, Clock::system().now(), "cli").await
    };
    change(&rate(1_300)).await.unwrap();
    assert!(matches!(change(&rate(1_400)).await, Err(drops::DropError::Changed)));
    assert_eq!(desk.stored().await.settings.rate_per_minute, 1_300);
}

#[tokio::test]
async fn a_rate_many_times_the_present_one_wants_a_second_look() {
    let desk = desk().await;
    let rate =
        |rate: &'static str, sure: &'static str| [("do", "rate"), ("from", "1200"), ("rate", rate), ("sure", sure)];
    for sure in ["", "12000"] {
        let (status, page) = desk.refused(&rate("120000", sure)).await;
        assert_eq!(status, 422);
        assert!(
            page.contains("100 times the present rate") && page.contains(r#"name="sure" value="120000""#),
            "{page}"
        );
    }
    assert_eq!(desk.stored().await.version, 1, "nothing was changed");
    assert!(desk.steer(&rate("120000", "120000")).await.contains("The rate is 120,000 a minute now."));
}

#[tokio::test]
async fn the_opening_is_set_and_taken_away_in_utc() {
    let desk = desk().await;
    let with_opening = async |opens_at: &str| {
        let seen = desk.stored().await.version.to_string();
        let mut form = settings(&seen, "1000000").to_vec();
        form.push(("opens_at", opens_at));
        desk.steer(&form).await
    };
    let page = with_opening("2099-03-12T19:00").await;
    let at: Timestamp = "2099-03-12T19:00:00Z".parse().unwrap();
    assert_eq!(desk.stored().await.settings.opens_at, Some(at));
    assert!(page.contains("Opens by itself") && page.contains(r#"value="2099-03-12T19:00""#), "{page}");
    assert!(with_opening("2099-03-12T19:00").await.contains("nothing was changed"));
    with_opening("").await;
    assert_eq!(desk.stored().await.settings.opens_at, None);
}

#[tokio::test]
async fn words_of_people_are_only_words() {
    let desk = desk().await;
    desk.steer(&[("do", "open")]).await;
    let script = "<script>alert(1)</script>\" onload=\"x";
    let page = desk.steer(&[("do", "notice"), ("text", script), ("lang", "en")]).await;
    assert!(!page.contains("<script>alert") && page.contains("alert(1)"), "{page}");
    for page in [desk.steer(&[("do", "pause"), ("words", script)]).await, desk.read("/ops/audit").await] {
        assert!(!page.contains("<script>alert") && !page.contains("\" onload=") && page.contains("alert(1)"), "{page}");
    }
    let flash = desk.read(&format!("{}?done=%3Cb%3Eall%20is%20lost", desk.page())).await;
    assert!(!flash.contains("all is lost"), "a link cannot put words into the console's mouth");
}

#[tokio::test]
async fn the_list_shows_every_drop_and_says_how_to_make_the_first() {
    let desk = desk().await;
    let list = desk.read("/ops").await;
    assert!(list.contains(r#"href="/ops/drops/an-evening""#) && list.contains("Not open yet"), "{list}");
    assert_eq!(location(&desk.get("/ops?next=/ops/audit").await), "/ops/audit", "whoever is signed in goes on");
    assert_eq!(desk.get("/ops/drops/nothing").await.status(), StatusCode::NOT_FOUND);

    let mut desk = empty_desk().await;
    let answer = desk.sign_in(PASSWORD, "").await;
    desk.cookie = set_cookie(&answer).split(';').next().unwrap().to_owned();
    assert!(desk.read("/ops").await.contains("onsale drop create"));
}

#[tokio::test]
async fn a_drop_is_made_of_events_that_have_tickets_and_are_in_no_drop() {
    let desk = desk().await;
    let (bare, stocked) = (event(&desk.world.pool).await, event(&desk.world.pool).await);
    sqlx::query(
        "INSERT INTO tickets (event_id, ordinal, seat_number, tier, price) VALUES ($1, 0, 'A-1', 'balcony', 3500)",
    )
    .bind(stocked)
    .execute(&desk.world.pool)
    .await
    .unwrap();
    let list = desk.read("/ops").await;
    assert!(list.contains(&stocked.to_string()) && !list.contains(&bare.to_string()), "{list}");

    let event = stocked.to_string();
    let form = |id, rate| [("drop", id), ("event", event.as_str()), ("title", ""), ("rate", rate), ("opens_at", "")];
    for (id, rate, expected, why) in [
        ("A Matinee", "60", 422, "small letters, digits and hyphens"),
        ("a-matinee", "0", 422, "between 1 and 6,000,000"),
        ("an-evening", "60", 409, "A drop of that id exists."),
    ] {
        let answer = desk.post("/ops/drops", &form(id, rate)).await;
        let (status, page) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, expected);
        assert!(page.contains(why) && page.contains(&format!(r#"value="{id}""#)) && page.contains("checked"), "{page}");
    }
    let nothing = desk.post("/ops/drops", &[("drop", "a-matinee"), ("rate", "60")]).await;
    assert!(nothing.text().await.unwrap().contains("at least one event"));

    let made = desk.post("/ops/drops", &form("a-matinee", "60")).await;
    let page = desk.read(location(&made)).await;
    assert!(page.contains("The drop is made.") && page.contains("An evening"), "{page}");
    let drop = drops::show(&desk.world.pool, &DropId::parse("a-matinee").unwrap()).await.unwrap();
    assert_eq!((drop.events, drop.settings.rate_per_minute), (vec![stocked], 60));
    assert!(!desk.read("/ops").await.contains(&event), "it is in a drop now");
}

#[tokio::test]
async fn a_line_that_is_not_there_is_told_and_orders_are_kept() {
    let desk = desk().await;
    let mut redis = desk.world.redis.clone();
    let control = format!("{}:{{{}}}:control", redis.prefix(), desk.drop);
    let gone: u64 = redis::cmd("DEL").arg(&control).query_async(&mut redis).await.unwrap();
    assert_eq!(gone, 1, "{control} is the control's key");
    // told at once or stored: the keeper makes the line again within a second, whichever comes first
    let page = desk.steer(&[("do", "pause"), ("words", "A moment, please")]).await;
    assert!(page.contains("It is stored, but") || page.contains("It is paused."), "{page}");
    assert_eq!(desk.stored().await.state, State::Paused);
}

/// A form with a file, as a browser sends it.
fn with_file(file: &str) -> (String, &'static str) {
    let head =
        "--x\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"a.svg\"\r\nContent-Type: image/svg+xml";
    (format!("{head}\r\n\r\n{file}\r\n--x--\r\n"), "multipart/form-data; boundary=x")
}

#[tokio::test]
async fn a_logo_is_uploaded_without_scripts_and_taken_away() {
    let desk = desk().await;
    let upload = async |file: &str| {
        let (body, kind) = with_file(file);
        let request = desk.http.post(format!("{}{}/logo", desk.url, desk.page())).header(header::ORIGIN, &desk.url);
        request.header(header::COOKIE, &desk.cookie).header(header::CONTENT_TYPE, kind).body(body).send().await.unwrap()
    };
    for (file, why) in
        [("", "Choose a file first."), ("<svg><script/></svg>", "a &#60;script&#62;"), ("GIF89a", "neither")]
    {
        let refused = upload(file).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = refused.text().await.unwrap();
        assert!(page.contains(why) && page.contains(r#"id="logo-error""#), "{file}: {page}");
    }
    assert_eq!(desk.stored().await.logo, None);
    let page = desk.read(location(&upload("<svg/>").await)).await;
    let file = desk.stored().await.logo.unwrap();
    assert!(page.contains("Fans see the logo now.") && page.contains(&format!("/logo/{file}")), "{page}");
    desk.assert_recorded("drop.logo").await;
    assert!(desk.steer(&[("do", "no-logo")]).await.contains("The logo is taken away."));
    assert_eq!(desk.stored().await.logo, None);
}

#[tokio::test]
async fn the_report_card_and_a_covered_line_are_told_in_words() {
    let desk = desk().await;
    desk.steer(&[("do", "open")]).await;
    assert!(desk.read(&desk.page()).await.contains(r#"data-report="some" hidden"#), "nothing is known yet");
    let line = Line::new(desk.world.redis.clone());
    line.report_estimates(&desk.drop, Outcomes { early: 47, right: 44, late: 9 }).await.unwrap();
    let page = desk.read(&desk.page()).await;
    for words in [r#"data-live="judged">100<"#, r#"data-live="early">47 %<"#, r#"data-live="late">9 %<"#] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.contains(r#"data-report="none" hidden"#), "{page}");

    line.report_stock(&desk.drop, Stock { capacity: 10, held: 4, sold: 6 }).await.unwrap();
    let page = desk.read(&desk.page()).await;
    assert!(page.contains("Every ticket is held or sold.") && page.contains(r#"data-state="covered""#), "{page}");
    line.report_stock(&desk.drop, Stock { capacity: 10, held: 3, sold: 6 }).await.unwrap();
    assert!(desk.read(&desk.page()).await.contains(r#"data-state="running""#));
}
