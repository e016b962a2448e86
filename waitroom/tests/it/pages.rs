//! The waiting page as a browser without scripts meets it.

use std::{cell::RefCell, collections::BTreeMap};

use admission::{
    brand::Logo,
    ids::{Place, VisitorSecret},
    line::{EndReason, Notice, Phase, Stock},
    pace::Level,
    presented::{SESSION_COOKIE, VISITOR_COOKIE, admission_cookie},
    token::Verifier,
};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header::HeaderMap, redirect};
use serde_json::{Value, json};
use shared::{clock::Clock, testing::keyring};

use crate::stage::{DROP, PUBLIC_URL, Stage, read, slug, stage};

const EVENT: &str = "01890000-0000-7000-8000-000000000000";

/// A browser: keeps cookies, follows no redirect by itself but the one that sends a press again.
struct Browser<'a> {
    stage: &'a Stage,
    http: Client,
    jar: RefCell<BTreeMap<String, String>>,
    /// How long each cookie is to be kept, in seconds.
    kept_s: RefCell<BTreeMap<String, u64>>,
}

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    location: Option<String>,
    html: String,
}

impl Stage {
    fn browser(&self) -> Browser<'_> {
        let http = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Browser { stage: self, http, jar: RefCell::default(), kept_s: RefCell::default() }
    }
}

impl Browser<'_> {
    async fn get(&self, query: &str) -> Page {
        self.send(self.http.get(format!("{}/queue/{DROP}{query}", self.stage.url))).await
    }

    async fn press(&self, button: &str) -> Page {
        let page = self.post(button, &format!("/queue/{DROP}")).await;
        match (page.status, page.location.as_deref()) {
            (StatusCode::TEMPORARY_REDIRECT, Some(again)) => self.post(button, again).await,
            _ => page,
        }
    }

    async fn post(&self, button: &str, path: &str) -> Page {
        self.fill(button, &[], path).await
    }

    /// Presses a button of a form with fields.
    async fn fill(&self, button: &str, fields: &[(&str, &str)], path: &str) -> Page {
        let form = [&[("do", button)], fields].concat();
        let form = self.http.post(format!("{}{path}", self.stage.url)).form(&form);
        self.send(form.header("Sec-Fetch-Site", "same-origin")).await
    }

    /// The page an answer led to.
    async fn follow(&self, answer: &Page) -> Page {
        let to = answer.location.as_deref().expect("an answer that leads somewhere");
        self.get(to.strip_prefix(&format!("/queue/{DROP}")).expect("to the page")).await
    }

    async fn send(&self, request: RequestBuilder) -> Page {
        let answer = request.header("Accept", "text/html").header("Cookie", self.cookies()).send().await.unwrap();
        self.keep(&answer);
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let headers = answer.headers().clone();
        Page { status: answer.status(), headers, location, html: answer.text().await.unwrap() }
    }

    fn cookies(&self) -> String {
        self.jar.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&self, answer: &Response) {
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let (_, max_age) = rest.split_once("Max-Age=").unwrap();
            let max_age = max_age.split(';').next().unwrap().parse().unwrap();
            self.kept_s.borrow_mut().insert(name.to_owned(), max_age);
            self.jar.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
    }

    fn visitor(&self) -> VisitorSecret {
        VisitorSecret::parse(&self.jar.borrow()[VISITOR_COOKIE]).unwrap()
    }

    fn place(&self) -> Place {
        Place::of(&self.stage.drop, 0, &self.visitor())
    }

    /// Steps the line until this browser's place is called.
    async fn called(&self) -> Page {
        loop {
            self.stage.step().await;
            let page = self.get("").await;
            if page.face() == "called" {
                return page;
            }
        }
    }

    async fn admitted(&self) -> Page {
        loop {
            self.called_or_claiming().await;
            let page = self.press("claim").await;
            if page.location.as_deref().is_some_and(|to| to.ends_with("/seats")) {
                return page;
            }
        }
    }

    async fn called_or_claiming(&self) {
        while !["called", "claiming", "admitted"].contains(&self.get("").await.face()) {
            self.stage.step().await;
        }
    }
}

impl Page {
    /// The sections that are shown.
    fn sections(&self) -> Vec<(&str, &str)> {
        let (_, faces) = self.html.split_once("class=\"faces\"").expect("a page of the waiting room");
        faces
            .split("<section data-face=\"")
            .skip(1)
            .filter_map(|section| {
                let (name, rest) = section.split_once('"')?;
                let (attributes, body) = rest.split_once('>')?;
                let body = body.split("</section>").next()?;
                (!attributes.contains("hidden")).then_some((name, body))
            })
            .collect()
    }

    fn face(&self) -> &str {
        let shown = self.sections();
        assert_eq!(shown.len(), 1, "one section at a time");
        shown[0].0
    }

    /// The big buttons of the section that is shown: what they do, or where they lead.
    fn buttons(&self) -> Vec<&str> {
        let (_, body) = self.sections()[0];
        let value = |tag: &'static str, end: &'static str| {
            body.split(tag).skip(1).filter_map(move |rest| rest.split(end).next())
        };
        value("class=\"button wide large\" name=\"do\" value=\"", "\"")
            .chain(value("class=\"button wide large\" href=\"", "\""))
            .collect()
    }

    fn position(&self) -> Option<u64> {
        let (_, rest) = self.html.split_once("data-shown=\"")?;
        rest.split('"').next()?.parse().ok()
    }

    /// Where a page without scripts goes by itself.
    fn refresh(&self) -> Option<&str> {
        let (_, rest) = self.html.split_once("<noscript><meta http-equiv=\"refresh\" content=\"")?;
        rest.split('"').next()
    }
}

async fn in_line(s: &Stage) -> u64 {
    s.line.watch(&s.drop, None, true).await.unwrap().1.counts.waiting
}

async fn released(s: &Stage, fans: u64) {
    let level = Level { expected_claims: fans, reaction_us: 3_000_000, when_full: 1 };
    s.line.release(&s.drop, level).await.unwrap();
}

#[tokio::test]
async fn looking_joins_nobody_and_the_button_does() {
    let s = stage(&[("title", "An evening with Ada")]).await;
    let browser = s.browser();
    let page = browser.get("").await;
    assert_eq!((page.status, page.face()), (StatusCode::OK, "running"));
    assert!(page.html.contains("An evening with Ada") && page.html.contains("name=\"do\" value=\"join\""));
    let visitor = browser.visitor().expose();
    browser.get("").await;
    assert_eq!(browser.visitor().expose(), visitor, "the place of this browser exists before it is taken");
    assert_eq!(in_line(&s).await, 0);

    let joined = browser.press("join").await;
    assert_eq!(joined.status, StatusCode::SEE_OTHER);
    assert!(browser.jar.borrow().contains_key(&format!("__Host-onsale-pass-{DROP}")));
    assert_eq!(browser.visitor().expose(), visitor);
    let page = browser.get(joined.location.unwrap().strip_prefix(&format!("/queue/{DROP}")).unwrap()).await;
    assert_eq!((page.face(), page.position(), page.buttons().len()), ("waiting", Some(1), 0));
    browser.press("join").await;
    assert_eq!(in_line(&s).await, 1, "twice is once");
}

#[tokio::test]
async fn a_browser_without_any_cookie_joins_with_one_press() {
    let s = stage(&[]).await;
    let browser = s.browser();
    assert_eq!(browser.press("join").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("").await.face(), "waiting");
}

#[tokio::test]
async fn the_same_first_press_sent_twice_takes_one_place() {
    let s = stage(&[]).await;
    let browser = s.browser();
    let path = format!("/queue/{DROP}");
    // the answer to the first is lost: the second comes without a cookie as well
    let first = browser.post("join", &path).await;
    assert_eq!(first.status, StatusCode::TEMPORARY_REDIRECT);
    browser.jar.borrow_mut().clear();
    let second = browser.post("join", &path).await;
    assert_eq!((second.status, in_line(&s).await), (StatusCode::TEMPORARY_REDIRECT, 0));
    for _ in 0..2 {
        assert_eq!(browser.post("join", second.location.as_deref().unwrap()).await.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(in_line(&s).await, 1);
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookie_is_told_and_takes_no_place() {
    let s = stage(&[]).await;
    let browser = s.browser();
    let sent_again = browser.post("join", &format!("/queue/{DROP}")).await.location.unwrap();
    browser.jar.borrow_mut().clear();
    let told = browser.post("join", &sent_again).await;
    assert_eq!((told.status, in_line(&s).await), (StatusCode::SEE_OTHER, 0));
    let query = told.location.unwrap().strip_prefix(&format!("/queue/{DROP}")).unwrap().to_owned();
    browser.jar.borrow_mut().clear();
    assert!(browser.get(&query).await.html.contains("did not keep our cookie"));
    assert!(!browser.get(&query).await.html.contains("did not keep our cookie"), "it keeps them now");
}

#[tokio::test]
async fn a_browser_that_lost_its_pass_gets_it_back_by_looking() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.press("join").await;
    let name = format!("__Host-onsale-pass-{DROP}");
    browser.jar.borrow_mut().remove(&name).expect("a pass");
    browser.get("").await;
    assert!(browser.jar.borrow().contains_key(&name), "what brings the place back after a loss");
}

#[tokio::test]
async fn a_cookie_nobody_can_read_is_replaced() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.jar.borrow_mut().insert(VISITOR_COOKIE.to_owned(), "broken".to_owned());
    assert_eq!(browser.get("").await.face(), "running");
    browser.press("join").await;
    assert_eq!(browser.get("").await.face(), "waiting");
}

#[tokio::test]
async fn a_turn_taken_leads_to_the_seats_with_the_admission() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.press("join").await;
    let page = browser.called().await;
    assert_eq!(page.buttons(), ["claim"]);
    assert!(page.html.contains("data-field=\"deadline\" data-countdown=\""), "the time left is told");
    let claimed = browser.admitted().await;
    assert_eq!((claimed.status, claimed.location.unwrap()), (StatusCode::SEE_OTHER, format!("/e/{EVENT}/seats")));
    let token = browser.jar.borrow_mut().remove(&admission_cookie(&s.drop)).expect("the admission in a cookie");
    let keys = s.http.get(format!("{}/.well-known/jwks.json", s.url)).send().await.unwrap().json().await.unwrap();
    let admission = Verifier::from_jwks(&keys, PUBLIC_URL).unwrap().verify(&token, Clock::system().now()).unwrap();
    assert!(admission.belongs_to(&browser.visitor()));
    let kept_s = browser.kept_s.borrow()[&admission_cookie(&s.drop)];
    assert!(kept_s > 600 + 60, "kept beyond its end, so that who is late is told so: {kept_s} s");

    let page = browser.get("").await;
    assert_eq!((page.face(), page.buttons()), ("admitted", vec!["enter"]));
    let entered = browser.press("enter").await;
    assert_eq!(entered.location.unwrap(), format!("/e/{EVENT}/seats"));
    assert!(browser.jar.borrow().contains_key(&admission_cookie(&s.drop)), "the same admission again");
    s.line.end_place(&s.drop, browser.place(), EndReason::Finished).await.unwrap();
    let page = browser.get("").await;
    assert_eq!((page.face(), page.buttons()), ("finished", vec!["/account"]));
    let late = browser.press("enter").await;
    assert_eq!(late.location.unwrap(), format!("/queue/{DROP}"), "nothing to enter with any more");
}

#[tokio::test]
async fn several_events_are_chosen_among_first() {
    let s = stage(&[("events", r#"["01890000-0000-7000-8000-000000000000","01890000-0000-7000-8000-000000000001"]"#)])
        .await;
    let browser = s.browser();
    browser.press("join").await;
    while browser.get("").await.face() != "admitted" {
        s.step().await;
        browser.press("claim").await;
    }
    assert_eq!(browser.press("enter").await.location.unwrap(), format!("/drops/{DROP}"));
}

#[tokio::test]
async fn a_claim_that_waits_for_the_bucket_shows_the_door() {
    // one a minute: the first claim takes the token there is, the second waits
    let s = stage(&[("rate", "1"), ("max_active", "1")]).await;
    let browsers = [s.browser(), s.browser()];
    for browser in &browsers {
        browser.press("join").await;
    }
    released(&s, 10).await;
    for browser in &browsers {
        assert_eq!(browser.get("").await.face(), "called");
        browser.press("claim").await;
    }
    let faces = [browsers[0].get("").await, browsers[1].get("").await];
    let waits = faces.iter().find(|page| page.face() == "claiming").expect("one of them waits at the door");
    assert!(waits.buttons().is_empty());
    assert!(waits.refresh().unwrap().starts_with("2;"));
}

#[tokio::test]
async fn leaving_asks_twice_and_leads_back_to_the_end() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.press("join").await;
    let page = browser.get("").await;
    let (_, disclosure) = page.html.split_once("<details class=\"leave\"").unwrap();
    assert!(
        disclosure.contains("value=\"leave\"") && !disclosure.starts_with(" hidden") && !disclosure.contains(" open>")
    );
    browser.press("leave").await;
    let page = browser.get("").await;
    assert_eq!((page.face(), page.buttons()), ("left", vec!["again"]));
    assert!(page.html.contains("<details class=\"leave\" id=\"leave\" data-while=\"leaves\" hidden"));
    assert_eq!(page.refresh(), None);
    browser.press("again").await;
    assert_eq!(browser.get("").await.face(), "waiting");
}

#[tokio::test]
async fn what_concerns_the_drop_has_a_section_and_its_reason() {
    let s = stage(&[]).await;
    let (browser, stranger) = (s.browser(), s.browser());
    browser.press("join").await;
    s.pause("The shop <b>takes</b> a breath.").await;
    let page = browser.get("").await;
    assert_eq!((page.face(), page.buttons().len()), ("paused", 0));
    assert!(
        page.sections()[0].1.contains("The shop &#60;b&#62;takes&#60;/b&#62; a breath."),
        "{}",
        page.sections()[0].1
    );
    assert_eq!(page.position(), Some(1), "the place is still told");
    s.resume().await;
    s.line.report_stock(&s.drop, Stock { capacity: 5, held: 0, sold: 5 }).await.unwrap();
    let page = browser.get("").await;
    assert_eq!((page.face(), page.buttons()), ("sold_out", vec!["/"]));
    s.order(Phase::Ended, &[]).await;
    assert_eq!((browser.get("").await.face(), browser.get("").await.buttons()), ("ended", vec!["/"]));
    // the watcher tells who is not in line, a look later at most
    let outside = loop {
        let page = stranger.get("").await;
        if page.face() == "ended" {
            break page;
        }
    };
    assert!(outside.html.contains("id=\"door\" hidden"), "nothing to join");
    assert_eq!(stranger.press("join").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_lapsed_turn_can_still_be_taken_and_then_no_more() {
    let s = stage(&[("claim_us", "1000"), ("grace_us", "600000000")]).await;
    let browser = s.browser();
    browser.press("join").await;
    let page = loop {
        s.step().await;
        let page = browser.get("").await;
        if page.face() == "lapsed" {
            break page;
        }
    };
    assert_eq!(page.buttons(), ["claim"]);
    let (_, lapsed) = page.sections()[0];
    assert!(lapsed.contains("data-field=\"deadline\"") && lapsed.contains(" data-countdown=\""), "how long it counts");
    s.order(Phase::Going, &[("grace_us", "0")]).await;
    let page = loop {
        s.step().await;
        let page = browser.get("").await;
        if page.face() != "lapsed" {
            break page;
        }
    };
    assert_eq!((page.face(), page.buttons()), ("lapsed-out", vec!["again"]));
    assert_eq!(
        browser.press("claim").await.location.unwrap(),
        format!("/queue/{DROP}"),
        "told by the page, not refused"
    );
}

#[tokio::test]
async fn the_lobby_tells_when_it_opens() {
    let s = stage(&[("opens_at", "4000000000000000")]).await;
    let browser = s.browser();
    assert_eq!(browser.get("").await.face(), "scheduled");
    browser.press("join").await;
    let page = browser.get("").await;
    assert_eq!((page.face(), page.buttons().len()), ("lobby", 0));
    assert!(page.sections()[0].1.contains("data-countdown=\"2096-10-02T07:06:40Z\""), "{}", page.sections()[0].1);
}

#[tokio::test]
async fn a_reload_never_shows_a_higher_position() {
    let s = stage(&[]).await;
    for _ in 0..5 {
        s.fan().join().await;
    }
    let browser = s.browser();
    browser.press("join").await;
    let of = &browser.place().to_string()[..8];
    assert_eq!(browser.get("").await.position(), Some(6));
    assert_eq!(browser.get(&format!("?shown={of}.4")).await.position(), Some(4));
    let page = browser.get(&format!("?shown={of}.4&from=40")).await;
    let address = page.refresh().unwrap();
    assert!(address.ends_with(&format!("url=/queue/{DROP}?shown={of}.4&#38;from=40")), "{address}");
    assert_eq!(browser.get("?shown=AAAAAAAA.2").await.position(), Some(6), "of another place");
    assert_eq!(browser.get("?shown=nonsense").await.position(), Some(6));
    released(&s, 3).await;
    assert_eq!(browser.get(&format!("?shown={of}.5")).await.position(), Some(3), "and it falls");
}

#[tokio::test]
async fn a_position_does_not_rise_over_signing_in_or_a_button() {
    let s = stage(&[]).await;
    for _ in 0..5 {
        s.fan().join().await;
    }
    let browser = s.browser();
    browser.press("join").await;
    let of = &browser.place().to_string()[..8];
    let page = browser.get(&format!("?shown={of}.4&from=40")).await;
    let own = format!("/queue/{DROP}?shown={of}.4&from=40");
    let (_, rest) = page.html.split_once("/account?next=").unwrap();
    let next = rest.split('"').next().unwrap();
    assert_eq!(next.replace("%3F", "?").replace("%3D", "=").replace("%26", "&"), own);
    assert!(!next.contains(['?', '&', '=']), "one value of a query: {next}");
    let actions: Vec<&str> = page.html.split(" action=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(actions.len() > 3);
    for action in actions.iter().filter(|action| action.starts_with("/queue/")) {
        assert_eq!(action.replace("&#38;", "&"), own);
    }
    let pressed = browser.post("join", &own).await;
    assert_eq!(pressed.location.unwrap(), own);
}

#[tokio::test]
async fn an_address_with_any_number_is_survived() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.press("join").await;
    let of = &browser.place().to_string()[..8];
    let page = browser.get(&format!("?shown={of}.{max}&from={max}", max = u64::MAX)).await;
    assert_eq!((page.status, page.position()), (StatusCode::OK, Some(1)));
}

#[tokio::test]
async fn a_turn_stands_still_with_the_sale() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.press("join").await;
    browser.called().await;
    s.pause("A minute, please.").await;
    let page = browser.get("").await;
    assert_eq!((page.face(), page.buttons().len(), page.position()), ("paused-turn", 0, None));
    let (_, body) = page.sections()[0];
    assert!(body.contains("A minute, please.") && body.contains("It is your turn, and it is kept."), "{body}");
    assert!(page.html.contains("<li data-step=\"2\" aria-current=\"step\">"));
    s.resume().await;
    assert_eq!(browser.get("").await.face(), "called");
}

#[tokio::test]
async fn who_is_not_in_line_when_all_is_sold_is_led_on_first() {
    let s = stage(&[]).await;
    s.line.report_stock(&s.drop, Stock { capacity: 5, held: 0, sold: 5 }).await.unwrap();
    let browser = s.browser();
    let page = loop {
        let page = browser.get("").await;
        if page.face() == "sold_out" {
            break page;
        }
    };
    assert!(page.html.contains("id=\"join-now\" hidden") && page.html.contains("id=\"join-sold-out\">"));
    browser.press("join").await;
    let page = browser.get("").await;
    assert!(page.html.contains("id=\"what-next\" hidden"));
    assert!(page.html.contains("id=\"sign-in\" data-while=\"leaves\"><a"), "signing in makes sense still");
}

#[tokio::test]
async fn without_scripts_the_page_asks_again_by_itself() {
    let s = stage(&[]).await;
    let browser = s.browser();
    assert_eq!(browser.get("").await.refresh(), None, "whoever is not in line decides in peace");
    browser.press("join").await;
    assert!(browser.get("").await.refresh().unwrap().starts_with("5; url=/queue/"));
    assert!(browser.called().await.refresh().unwrap().starts_with("20;"), "not under a thumb");
}

#[tokio::test]
async fn a_word_from_the_organiser_is_shown_as_text() {
    let s = stage(&[("title", "Rock & <i>Roll</i>")]).await;
    let browser = s.browser();
    browser.press("join").await;
    let text = "<script>alert(1)</script> Balcony is gone";
    let notice =
        Notice { id: "n1".into(), text: text.into(), lang: "de\" onload=\"x".into(), at: Clock::system().now() };
    s.line.notify(&s.drop, &notice).await.unwrap();
    let page = browser.get("").await;
    assert!(page.html.contains("&#60;script&#62;alert(1)&#60;/script&#62; Balcony is gone"));
    assert!(!page.html.contains("<script>") && !page.html.contains("onload=\"") && !page.html.contains("<i>"));
    assert!(page.html.contains("datetime=\""));
}

/// A notice taken back leaves nothing behind it.
#[tokio::test]
async fn a_withdrawn_notice_is_no_empty_one() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.press("join").await;
    let now = Clock::system().now();
    s.line.notify(&s.drop, &Notice::new("ZETA".into(), "en".into(), now)).await.unwrap();
    while !browser.get("").await.html.contains("ZETA") {}
    s.line.notify(&s.drop, &Notice::withdrawn(now)).await.unwrap();
    let page = loop {
        let page = browser.get("").await.html;
        if !page.contains("ZETA") {
            break page;
        }
    };
    assert!(page.contains(">Nothing so far. Should there be news, you read it here.</p>"), "{page}");
}

#[tokio::test]
async fn a_drop_that_asks_for_an_account_leads_there_first_and_back() {
    let s = stage(&[("join_requires", "account")]).await;
    let browser = s.browser();
    let page = browser.get("").await;
    let way = format!("/account?next=/queue/{DROP}");
    assert!(page.html.contains(&way) && !page.html.contains("value=\"join\""));
    let pressed = browser.press("join").await;
    assert_eq!((pressed.status, pressed.location), (StatusCode::SEE_OTHER, Some(way.clone())));
    let sessions = admission::session::Sessions::new(&keyring());
    let end = Clock::system().now() + std::time::Duration::from_secs(60);
    browser.jar.borrow_mut().insert(SESSION_COOKIE.to_owned(), sessions.issue(uuid::Uuid::now_v7(), end));
    let page = browser.get("").await;
    assert!(page.html.contains("value=\"join\"") && !page.html.contains(&way));
    browser.press("join").await;
    let page = browser.get("").await;
    assert_eq!(page.face(), "waiting");
    assert!(!page.html.contains(&way), "already signed in");
}

#[tokio::test]
async fn a_form_on_another_site_presses_nothing() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.press("join").await;
    for (button, cookies) in [("leave", browser.cookies()), ("join", String::new())] {
        let forged = s.http.post(format!("{}/queue/{DROP}", s.url)).form(&[("do", button)]);
        let forged = forged.header("Cookie", cookies).header("Sec-Fetch-Site", "cross-site").send().await.unwrap();
        assert_eq!(forged.status(), StatusCode::FORBIDDEN);
        assert!(forged.headers().get("set-cookie").is_none());
    }
    assert_eq!(browser.get("").await.face(), "waiting");
}

#[tokio::test]
async fn a_line_that_is_away_keeps_the_page_and_the_place() {
    let s = stage(&[]).await;
    let browser = s.browser();
    browser.press("join").await;
    let before = browser.place();
    s.lose_redis().await;
    let page = browser.get("").await;
    assert_eq!((page.status, page.face(), page.buttons().len()), (StatusCode::OK, "restoring", 0));
    assert!(page.refresh().is_some());
    s.restore(2, 9_000_000_000_000_000).await;
    assert_eq!(browser.get("").await.face(), "waiting");
    assert_eq!(browser.place(), before);
}

#[tokio::test]
async fn what_cannot_be_shown_is_a_problem_page() {
    let s = stage(&[]).await;
    let browser = s.browser();
    let nowhere = browser.send(browser.http.get(format!("{}/queue/nothing", s.url))).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert!(nowhere.html.contains("There is no such drop") && nowhere.html.starts_with("<!doctype html>"));
    let unknown = browser.press("dance").await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn joins_by_page_and_by_api_count_together() {
    // on a slow machine the limit lets one more in between the two: then once more
    const TRIES: usize = 20;
    let s = stage(&[]).await;
    let mut joined = 0;
    for tried in 1.. {
        loop {
            let (status, problem): (_, Value) = read(s.http.post(s.path("join"))).await;
            if status == StatusCode::TOO_MANY_REQUESTS {
                assert_eq!(slug(&problem), "rate-limited");
                break;
            }
            joined += 1;
        }
        let browser = s.browser();
        if browser.press("join").await.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(browser.get("").await.face(), "running", "looking is free");
            break;
        }
        joined += 1;
        assert!(tried < TRIES, "joins by page are not counted");
    }
    assert_eq!(in_line(&s).await, joined);
}

#[tokio::test]
async fn the_pulse_tells_the_title_and_what_is_left() {
    let s = stage(&[("title", "An evening with Ada")]).await;
    let before = read(s.http.get(s.path("pulse"))).await.1;
    assert_eq!((&before["title"], &before["left"]), (&Value::from("An evening with Ada"), &Value::Null));
    s.line.report_stock(&s.drop, Stock { capacity: 10, held: 3, sold: 2 }).await.unwrap();
    loop {
        let pulse = read(s.http.get(s.path("pulse"))).await.1;
        if pulse["left"] == 5 {
            break;
        }
    }
}

#[tokio::test]
async fn a_line_from_before_titles_is_called_by_its_id() {
    let s = stage(&[]).await;
    assert!(s.browser().get("").await.html.contains("<h1><bdi>Evening</bdi></h1>"));
}

/// What stands in the page between two texts.
fn between<'a>(html: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = html.split_once(before).unwrap_or_else(|| panic!("{before} is not in {html}"));
    rest.split(after).next().unwrap()
}

#[tokio::test]
async fn a_fan_reads_their_own_language_and_may_choose_another() {
    let s = stage(&[]).await;
    let browser = s.browser();
    let german = browser.http.get(format!("{}/queue/{DROP}", s.url)).header("Accept-Language", "de-CH, en;q=0.5");
    let page = browser.send(german).await;
    assert!(page.html.contains("<html lang=\"de\" dir=\"ltr\">") && page.html.contains("Der Verkauf läuft"));
    assert!(page.headers["vary"].to_str().unwrap().contains("accept-language"));
    assert!(browser.get("").await.html.contains("<html lang=\"en\""), "nothing was chosen");

    let page = browser.get("?lang=ar").await;
    assert!(page.html.contains("<html lang=\"ar\" dir=\"rtl\">"));
    browser.press("join").await;
    let page = browser.get("").await;
    assert!(page.html.contains("<html lang=\"ar\"") && page.html.contains("لا أحد أمامك"), "the choice is remembered");
    assert!(browser.get("?lang=tlh").await.html.contains("<html lang=\"ar\""), "there is none such");
    let own = format!("/queue/{DROP}?shown={}.1&#38;from=1&#38;lang=fr", &browser.place().to_string()[..8]);
    assert!(page.html.contains(&own), "what was shown is kept over a change of language");
}

#[tokio::test]
async fn a_code_takes_the_place_to_another_device() {
    let s = stage(&[]).await;
    let (phone, desk, path) = (s.browser(), s.browser(), format!("/queue/{DROP}"));
    s.fan().join().await;
    phone.press("join").await;
    s.fan().join().await;
    let page = phone.press("code").await;
    let code = between(&page.html, "<output id=\"code-shown\">", "<").to_owned();
    assert_eq!((page.status, page.face(), code.len()), (StatusCode::OK, "waiting", 11));
    let refresh_s: u64 = page.refresh().unwrap().split(';').next().unwrap().parse().unwrap();
    assert!((100..=180).contains(&refresh_s), "the code stays to be read: {refresh_s} s");

    desk.get("").await;
    let wrong = desk.follow(&desk.fill("move", &[("code", "ABCDE-FGHJK")], &path).await).await;
    assert!(wrong.html.contains("id=\"code-error\">This code is not valid") && wrong.html.contains("id=\"move\" open"));
    let moved = desk.fill("move", &[("code", &code.to_lowercase())], &path).await;
    let page = desk.follow(&moved).await;
    assert_eq!((page.face(), page.position()), ("waiting", Some(2)), "the place, not a new one");

    let left = phone.get("").await;
    assert_eq!((left.face(), left.refresh()), ("moved", None));
    phone.press("again").await;
    assert_eq!(phone.get("").await.position(), Some(4), "at the end");
    assert_eq!(desk.get("").await.position(), Some(2));
}

#[tokio::test]
async fn a_browser_without_a_cookie_brings_its_place_with_one_press() {
    let s = stage(&[]).await;
    let (phone, desk, path) = (s.browser(), s.browser(), format!("/queue/{DROP}"));
    phone.press("join").await;
    let page = phone.press("code").await;
    let code = between(&page.html, "<output id=\"code-shown\">", "<").to_owned();
    let first = desk.fill("move", &[("code", &code)], &path).await;
    assert_eq!(first.status, StatusCode::TEMPORARY_REDIRECT, "first a cookie: the place is bound to it");
    let moved = desk.fill("move", &[("code", &code)], first.location.as_deref().unwrap()).await;
    assert_eq!(desk.follow(&moved).await.face(), "waiting");
}

#[tokio::test]
async fn a_mail_is_asked_for_and_declined_on_the_page() {
    let s = stage(&[]).await;
    let (browser, path) = (s.browser(), format!("/queue/{DROP}"));
    browser.press("join").await;
    let wrong = browser.follow(&browser.fill("mail", &[("email", "nobody")], &path).await).await;
    assert!(wrong.html.contains("id=\"mail-error\"") && wrong.html.contains("id=\"mail\" open"));
    let asked = browser.fill("mail", &[("email", "ada@fans.example")], &path).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    let page = browser.follow(&asked).await;
    assert!(page.html.contains("We will mail you") && !page.html.contains("ada@fans.example"));
    let page = browser.follow(&browser.press("mail-off").await).await;
    assert!(!page.html.contains("We will mail you") && page.html.contains("name=\"email\""));
}

#[tokio::test]
async fn tickets_in_all_hands_are_told_as_such() {
    let s = stage(&[]).await;
    let (browser, stranger) = (s.browser(), s.browser());
    browser.press("join").await;
    s.line.report_stock(&s.drop, Stock { capacity: 5, held: 4, sold: 1 }).await.unwrap();
    s.step().await;
    let page = browser.get("").await;
    assert_eq!((page.face(), page.position(), page.buttons().len()), ("covered", Some(1), 0));
    assert!(page.html.contains("<title>All tickets are held"));
    while stranger.get("").await.face() != "covered" {}
    s.line.report_stock(&s.drop, Stock { capacity: 5, held: 0, sold: 1 }).await.unwrap();
    assert_eq!(browser.called().await.face(), "called", "one came back");
}

#[tokio::test]
async fn a_lobby_in_a_pause_shows_no_place_that_is_none() {
    let s = stage(&[("opens_at", "4000000000000000")]).await;
    let browser = s.browser();
    browser.press("join").await;
    s.pause("A minute, please.").await;
    let page = browser.get("").await;
    let (_, body) = page.sections()[0];
    assert_eq!(page.face(), "paused");
    assert!(body.contains("<div data-known hidden>") && !body.contains('–'), "{body}");
}

#[tokio::test]
async fn a_draw_tells_how_far_it_has_come() {
    let s = stage(&[("opens_at", "4000000000000000")]).await;
    let browser = s.browser();
    browser.press("join").await;
    s.face(&[("draw", br#"{"drawn":1200,"entrants":{"count":5000}}"#)]).await;
    s.order(Phase::Going, &[("opens_at", "1")]).await;
    let page = loop {
        let page = browser.get("").await;
        if page.html.contains("1,200 of 5,000 places drawn") {
            break page;
        }
    };
    assert_eq!(page.face(), "drawing");
    assert!(page.html.contains(" max=\"5000\" value=\"1200\""));
    assert!(page.html.contains(&format!("href=\"/queue/{DROP}/draw\"")), "and how it can be checked");
}

#[tokio::test]
async fn a_drop_has_its_own_face() {
    let s = stage(&[]).await;
    let browser = s.browser();
    assert!(!browser.get("").await.html.contains("/brand/"), "none by default");
    let logo =
        br##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z" fill="#8a1538"/></svg>"##;
    let file = Logo::check(logo.to_vec()).unwrap().file();
    let brand = json!({"name": "Ada <i>& friends</i>", "accent": "#8a1538", "on_accent": "#ffffff", "logo": file});
    let brand = brand.to_string();
    s.face(&[("brand", brand.as_bytes()), ("logo", logo), ("logo_type", b"image/svg+xml")]).await;
    let page = loop {
        let page = browser.get("").await;
        if page.html.contains("/brand/") {
            break page;
        }
    };
    assert!(page.html.contains("<bdi>Ada &#60;i&#62;&#38; friends&#60;/i&#62;</bdi>"));
    let sheet = between(&page.html, &format!("href=\"/queue/{DROP}/brand/"), "\"");
    let css = s.http.get(s.path(&format!("brand/{sheet}"))).send().await.unwrap();
    assert_eq!(css.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert!(css.text().await.unwrap().starts_with(":root{--accent:#8a1538;--on-accent:#ffffff;"));
    let other = s.http.get(s.path("brand/000000.css")).send().await.unwrap();
    assert_eq!(other.headers()["cache-control"], "no-cache");

    assert!(page.html.contains(&format!("<img src=\"/queue/{DROP}/logo/{file}\" alt=\"\"")));
    let picture = s.http.get(s.path(&format!("logo/{file}"))).send().await.unwrap();
    let header = |name| picture.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/svg+xml");
    assert_eq!(header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'; style-src 'unsafe-inline'");
    assert_eq!(picture.bytes().await.unwrap().as_ref(), logo);
    assert_eq!(s.http.get(s.path("logo/other.svg")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_logo_is_a_picture_and_nothing_else() {
    let s = stage(&[]).await;
    let page = br#"<script>alert(1)</script>"#;
    s.face(&[("brand", br#"{"logo":"0123abcd.svg"}"#), ("logo", page), ("logo_type", b"image/svg+xml")]).await;
    let browser = s.browser();
    while !browser.get("").await.html.contains("/logo/0123abcd.svg") {}
    assert_eq!(s.http.get(s.path("logo/0123abcd.svg")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

/// A logo is kept for a year: another picture must never come under its name, nor be remembered under it.
#[tokio::test]
async fn a_logo_changed_in_that_second_is_not_told_under_the_old_name() {
    let s = stage(&[]).await;
    let [old, new] = ["#8a1538", "#123456"]
        .map(|fill| format!(r#"<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h8v8z" fill="{fill}"/></svg>"#));
    let file = Logo::check(old.clone().into_bytes()).unwrap().file();
    let brand = json!({ "logo": file }).to_string();
    s.face(&[("brand", brand.as_bytes()), ("logo", new.as_bytes()), ("logo_type", b"image/svg+xml")]).await;
    let browser = s.browser();
    while !browser.get("").await.html.contains(&file) {}
    let ask = async || s.http.get(s.path(&format!("logo/{file}"))).send().await.unwrap();
    assert_eq!(ask().await.status(), StatusCode::NOT_FOUND);
    s.face(&[("logo", old.as_bytes())]).await;
    assert_eq!(ask().await.text().await.unwrap(), old);
}

#[tokio::test]
async fn another_logo_and_none_are_told_by_a_waitroom_that_remembers_the_last() {
    let s = stage(&[]).await;
    let browser = s.browser();
    let ask = async |file: &str| s.http.get(s.path(&format!("logo/{file}"))).send().await.unwrap();
    let mut last = String::new();
    for fill in ["#8a1538", "#123456"] {
        let logo = format!(r#"<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h8v8z" fill="{fill}"/></svg>"#);
        last = Logo::check(logo.clone().into_bytes()).unwrap().file();
        let brand = json!({ "logo": last }).to_string();
        s.face(&[("brand", brand.as_bytes()), ("logo", logo.as_bytes()), ("logo_type", b"image/svg+xml")]).await;
        while !browser.get("").await.html.contains(&last) {}
        assert_eq!(ask(&last).await.text().await.unwrap(), logo);
    }
    s.face(&[("brand", b""), ("logo", b""), ("logo_type", b"")]).await;
    while browser.get("").await.html.contains(&last) {}
    assert_eq!(ask(&last).await.status(), StatusCode::NOT_FOUND, "it was taken away");
}

/// All that a first look loads, as it goes over the wire; a release compresses harder.
#[tokio::test]
async fn the_page_is_light_in_every_language() {
    const WIRE_MAX: usize = 50_000;
    let s = stage(&[]).await;
    let browser = s.browser();
    let files = shared::testing::serve(shared::testing::site(vec![waitroom::assets()]).router()).await;
    browser.press("join").await;
    for lang in ["en", "es", "fr", "de", "ja", "ar"] {
        let html = browser.get(&format!("?lang={lang}")).await.html;
        let (_, version) = html.split_once("/assets/").unwrap();
        let version = version.split('/').next().unwrap();
        let shared = ["onsale.css", "page.js", "icon.svg"].map(|file| format!("shared/{file}"));
        let own = ["queue.css", "queue.js", "stream.js", "alerts.js", "faces.js", "words.js"];
        let mut sum = 0;
        let assets = shared.into_iter().chain(own.map(|file| format!("waitroom/{file}")));
        let assets = assets.map(|file| format!("{files}/assets/{version}/{file}"));
        for url in assets.chain([format!("{}/queue/{DROP}?lang={lang}", s.url)]) {
            let request = s.http.get(url).header("Accept-Encoding", "br");
            let answer = request.header("Cookie", browser.cookies()).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers()["content-encoding"].as_bytes()), (200, &b"br"[..]));
            sum += answer.bytes().await.unwrap().len();
        }
        println!("{lang}: {sum} bytes");
        assert!(sum < WIRE_MAX, "{lang}: {sum} bytes");
    }
}
